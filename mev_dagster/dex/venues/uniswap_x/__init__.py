"""UniswapX: orders whose price falls until somebody fills them."""
