//! Services of known capacity, generated, and what is made of them.
