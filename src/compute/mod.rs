//! What makes networks fast on a CPU: packed linear layers, attention, convolution, threads.
//!
//! Guarantees: kernels are chosen at run time for the processor at hand (AVX-512, AVX2 with FMA, NEON, or
//! plain code); results do not depend on the number of threads; all `unsafe` code of the crate is here.
//!
//! Every layer has two ways in: `forward` takes and returns candle tensors, and the `_into` form works on
//! slices without allocating. Matrices are row-major.

mod attention;
mod conv;
mod dilated;
mod elementwise;
mod int8;
mod int8_rows;
mod linear;
mod lstm;
mod norm;
mod precision;
mod rows;
mod tensor;
mod threads;

pub use attention::{HeadCache, QueryAt, attend_cached_into, self_attention, self_attention_with_bias};
pub use conv::{Conv1d, GroupedConv1d};
pub use dilated::{DilatedConv1d, Margin};
pub use elementwise::{add_into, gelu, gelu_in_place, log_softmax};
pub use linear::Linear;
pub(crate) use lstm::lstm_cell;
pub use lstm::{Lstm, LstmState};
pub use norm::{LayerNorm, normalise_channels};
pub use precision::Precision;
pub use rows::{RowLinear, RowMatrix};
pub use threads::Threads;
