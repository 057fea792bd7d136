//! What makes networks fast on a CPU: packed linear layers, attention, convolution, threads.
//!
//! Guarantees: kernels are chosen at run time for the processor at hand (AVX-512, AVX2 with FMA, NEON, or
//! plain code); results do not depend on the number of threads; all `unsafe` code of the crate is here, but for what asks
//! ONNX Runtime where it placed a graph, and the compiler refuses it elsewhere.
//!
//! Every layer has two ways in: `forward` takes and returns candle tensors, and the `_into` form works on
//! slices without allocating. Matrices are row-major.

mod cached_attention;
mod cached_int8;
mod conv;
mod dilated;
mod elementwise;
mod int8;
mod int8_rows;
mod linear;
mod lstm;
mod memory;
mod nearest;
mod norm;
mod pack;
mod panels;
#[cfg(test)]
pub(crate) mod plain;
mod precision;
mod rows;
mod self_attention;
mod snake;
mod stored;
mod target;
mod tensor;
mod threads;
mod transposed;

pub use cached_attention::{HeadCache, attend_cached_into};
pub use conv::{Conv1d, GroupedConv1d};
pub use dilated::{DilatedConv1d, Margin};
pub use elementwise::{add_into, gelu_in_place, log_softmax};
pub use linear::Linear;
pub(crate) use lstm::lstm_cell;
pub use lstm::{Lstm, LstmState};
pub use memory::give_back_large_buffers;
pub use nearest::Nearest;
pub use norm::LayerNorm;
pub use pack::{Arrays, PACK, Pack, Packed, Taken};
pub(crate) use panels::kernels;
pub use precision::Precision;
pub use rows::{RowLinear, RowMatrix};
pub use self_attention::{AddBias, QueryAt, self_attention_into};
pub use snake::{DOUBLING_REACH, HalfBand, Snake, TAPS};
pub use target::{CandleTarget, Place, Target};
pub use threads::{Placement, Threads};
pub use transposed::TransposedConv1d;
