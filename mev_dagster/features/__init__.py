"""What the search reads of each pending transaction: who is pending, what it asks and pays, its age."""
