"""What the search reads of each pending transaction: who is pending, what it asks for, what it pays, its age."""
