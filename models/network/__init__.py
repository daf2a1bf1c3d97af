"""The networks in torch, a layer to a file."""
