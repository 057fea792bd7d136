//! Sound in. Any file or stream becomes 16 kHz mono `f32` blocks, in order, with nothing lost at block borders.
