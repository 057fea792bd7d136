//! Model weights: the registry, pulling and verifying, and readers for each file format.
