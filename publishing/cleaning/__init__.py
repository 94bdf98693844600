"""What the clean stage does to a draft: mend what is mechanical, then look for what is wrong."""
