"""Invented archive files that come with the project, and the program that writes them."""
