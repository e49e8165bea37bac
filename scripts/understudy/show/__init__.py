"""What is to be made: shot list, ranges, looks, talent, overrides, chunks. Knows no pixels."""
