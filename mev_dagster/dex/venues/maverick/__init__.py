"""Maverick V1 and V2: pools whose liquidity follows the price."""
