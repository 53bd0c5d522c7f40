"""What is kept in memory alone, bounded and gone with the process."""
