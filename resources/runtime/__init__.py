"""How runs are launched and what the instance keeps: launcher, warm worker, storages, their retention."""
