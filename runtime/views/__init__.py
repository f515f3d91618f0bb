"""Pages of what ran, what is to do, and the mails."""
