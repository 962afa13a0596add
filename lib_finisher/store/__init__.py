"""Stage results and finished patches, kept on disk under the hash of what they were made from."""
