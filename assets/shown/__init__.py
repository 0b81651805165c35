"""What an asset shows of its block: metadata and the verdicts of its checks, from what its step returned."""
