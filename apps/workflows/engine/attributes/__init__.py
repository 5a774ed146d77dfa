"""What any working step may say besides its kind's settings: each attribute in a file of its own."""
