"""The sandbox: a process of its own that stands in for vendors, truthful and faulty at will."""
