"""What broke and how sure we are, from one health report: rules alone, no input or output."""
