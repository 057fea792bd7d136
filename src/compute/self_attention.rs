//! Scaled dot-product attention of whole sequences to themselves.

use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;
use rten_vecmath::Softmax;

use super::Precision;
use super::panels::{Narrow, NarrowPanels};
use super::rows::Columns;

/// Queries whose scores are held at once: their scores against 1500 keys stay in the second-level cache.
const QUERY_BLOCK: usize = 64;

/// Where a query is.
#[derive(Debug, Clone, Copy)]
pub struct QueryAt {
    /// Among all rows.
    pub row: usize,
    /// Within its sequence.
    pub query: usize,
}

/// Adds to the scores of a head and a query against all keys of its sequence, before the softmax.
pub type AddBias<'a> = dyn Fn(usize, QueryAt, &mut [f32]) + Sync + 'a;

/// Bidirectional attention of sequences, each to itself alone.
///
/// `qkv` is `[time, 3 * dim]`, queries, keys and values side by side, each of `heads` equal parts, of sequences of `lengths`
/// one after the other; `out` is `[time, dim]`. Scores exist for a block of queries and a head at a time, never as `[heads,
/// time, time]`. In less than f32, products are of f16 or bf16 where the processor has them faster.
pub fn self_attention_into(
    qkv: &[f32],
    heads: usize,
    lengths: &[usize],
    precision: Precision,
    add_bias: Option<&AddBias>,
    out: &mut [f32],
) {
    let width = qkv.len() / lengths.iter().sum::<usize>().max(1);
    let dim = width / 3;
    assert_eq!(qkv.len(), 3 * out.len(), "queries, keys and values for each row");
    let format = match precision {
        Precision::Bf16 | Precision::Int8 if (dim / heads).is_multiple_of(2) => Narrow::best(),
        _ => None,
    };
    let (mut rest, mut first) = (out, 0);
    for &length in lengths {
        let (out, others) = rest.split_at_mut(length * dim);
        rest = others;
        let sequence = Sequence {
            qkv: &qkv[first * width..(first + length) * width],
            first,
            time: length,
            heads,
            dim,
            add_bias,
        };
        if length == 0 {
            continue;
        }
        match format {
            Some(format) => sequence.attend(|head| NarrowHead::new(&sequence, head, format), out),
            None => sequence.attend(|head| SingleHead::new(&sequence, head), out),
        }
        first += length;
    }
}

/// A sequence and what it attends with.
struct Sequence<'a> {
    qkv: &'a [f32],
    first: usize,
    time: usize,
    heads: usize,
    dim: usize,
    add_bias: Option<&'a AddBias<'a>>,
}

/// Keys and values of a head, and how queries meet them.
trait Head: Sized + Sync + Send {
    /// What a task needs beside them.
    type Scratch: Default;

    /// Mixes values for `rows` queries from `first` on, `[rows, head_dim]`.
    fn mix(
        &self,
        sequence: &Sequence,
        head: usize,
        first: usize,
        rows: usize,
        scratch: &mut Self::Scratch,
        mixed: &mut [f32],
    );
}

impl Sequence<'_> {
    fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Row `time` of a head's queries (`part` 0), keys (1) or values (2).
    fn row(&self, part: usize, head: usize, time: usize) -> &[f32] {
        &self.qkv[(3 * time + part) * self.dim + head * self.head_dim()..][..self.head_dim()]
    }

    fn scale(&self) -> f32 {
        (self.head_dim() as f32).powf(-0.5)
    }

    fn attend<H: Head>(&self, head: impl Fn(usize) -> H + Sync + Send, out: &mut [f32]) {
        let (head_dim, blocks) = (self.head_dim(), self.time.div_ceil(QUERY_BLOCK));
        let block = self.time.div_ceil(blocks);
        let heads: Vec<H> = (0..self.heads).into_par_iter().map(head).collect();
        let out = Columns::new(out, self.dim);
        (0..blocks * self.heads).into_par_iter().for_each_init(
            || (H::Scratch::default(), vec![0.0; block * head_dim]),
            |(scratch, mixed), index| {
                let (head, first) = (index / blocks, index % blocks * block);
                let rows = block.min(self.time - first);
                let mixed = &mut mixed[..rows * head_dim];
                heads[head].mix(self, head, first, rows, scratch, mixed);
                for (row, mixed) in mixed.chunks_exact(head_dim).enumerate() {
                    out.set_row(first + row, head * head_dim, mixed);
                }
            },
        );
    }

    fn add_bias(&self, head: usize, query: usize, scores: &mut [f32]) {
        if let Some(add_bias) = self.add_bias {
            add_bias(head, QueryAt { row: self.first + query, query }, scores);
        }
    }
}

/// A head in f32.
struct SingleHead {
    keys: PackedBMatrix<f32>,
    values: PackedBMatrix<f32>,
}

impl SingleHead {
    fn new(sequence: &Sequence, head: usize) -> Self {
        // An executor holds no state but the choice of kernel, and cannot be sent between threads.
        let gemm = GemmExecutor::new();
        let keys = Self::part(sequence, 1, head, 0, sequence.time);
        let values = Self::part(sequence, 2, head, 0, sequence.time);
        Self { keys: gemm.prepack_b(keys.transposed()), values: gemm.prepack_b(values) }
    }

    fn part<'a>(
        sequence: &Sequence<'a>,
        part: usize,
        head: usize,
        first: usize,
        rows: usize,
    ) -> NdTensorView<'a, f32, 2> {
        let (dim, head_dim) = (sequence.dim, sequence.head_dim());
        let start = (3 * first + part) * dim + head * head_dim;
        let end = start + (rows - 1) * 3 * dim + head_dim;
        NdTensorView::from_slice_with_strides([rows, head_dim], &sequence.qkv[start..end], [3 * dim, 1])
            .expect("strides lie within the slice cut for them")
    }
}

impl Head for SingleHead {
    type Scratch = Vec<f32>;

    fn mix(
        &self,
        sequence: &Sequence,
        head: usize,
        first: usize,
        rows: usize,
        scores: &mut Self::Scratch,
        mixed: &mut [f32],
    ) {
        let (gemm, time) = (GemmExecutor::new(), sequence.time);
        scores.resize(QUERY_BLOCK * time, 0.0);
        let scores = &mut scores[..rows * time];
        let queries = GemmInputA::Unpacked(Self::part(sequence, 0, head, first, rows));
        let scaled = GemmOptions { alpha: sequence.scale(), ..GemmOptions::default() };
        gemm.gemm(scores, queries, GemmInputB::Packed(&self.keys), scaled)
            .expect("shapes agree by construction");
        for (query, scores) in scores.chunks_exact_mut(time).enumerate() {
            sequence.add_bias(head, first + query, scores);
            Softmax::new_mut(scores).dispatch();
        }
        let weights = GemmInputA::Unpacked(NdTensorView::from_data([rows, time], &*scores));
        gemm.gemm(mixed, weights, GemmInputB::Packed(&self.values), Default::default())
            .expect("shapes agree by construction");
    }
}

/// A head in numbers of sixteen bits.
struct NarrowHead {
    format: Narrow,
    keys: NarrowPanels,
    values: NarrowPanels,
}

#[derive(Default)]
struct NarrowScratch {
    queries: Vec<u16>,
    scores: Vec<f32>,
    weights: Vec<u16>,
    sums: Vec<f32>,
}

impl NarrowHead {
    fn new(sequence: &Sequence, head: usize, format: Narrow) -> Self {
        let (time, head_dim) = (sequence.time, sequence.head_dim());
        let even = time.next_multiple_of(2);
        let rows = |part: usize| {
            let mut rows = vec![0; even * head_dim];
            for (at, row) in rows.chunks_exact_mut(head_dim).take(time).enumerate() {
                format.narrow(sequence.row(part, head, at), 1.0, row);
            }
            rows
        };
        Self {
            format,
            keys: NarrowPanels::from_rows(format, &rows(1)[..time * head_dim], head_dim),
            values: NarrowPanels::from_columns(format, &rows(2), head_dim),
        }
    }
}

impl Head for NarrowHead {
    type Scratch = NarrowScratch;

    fn mix(
        &self,
        sequence: &Sequence,
        head: usize,
        first: usize,
        rows: usize,
        scratch: &mut Self::Scratch,
        mixed: &mut [f32],
    ) {
        let (time, head_dim) = (sequence.time, sequence.head_dim());
        let even = time.next_multiple_of(2);
        scratch.queries.resize(rows * head_dim, 0);
        scratch.scores.resize(rows * time, 0.0);
        scratch.weights.resize(rows * even, 0);
        for (row, query) in scratch.queries.chunks_exact_mut(head_dim).enumerate() {
            self.format.narrow(sequence.row(0, head, first + row), sequence.scale(), query);
        }
        self.keys.multiply_alone(&scratch.queries, head_dim, &mut scratch.scores);
        let rows = scratch.scores.chunks_exact_mut(time).zip(scratch.weights.chunks_exact_mut(even));
        scratch.sums.clear();
        scratch.sums.extend(rows.enumerate().map(|(query, (scores, weights))| {
            sequence.add_bias(head, first + query, scores);
            weights[time..].fill(0);
            self.format.exponentials(scores, weights)
        }));
        self.values.multiply_alone(&scratch.weights, even, mixed);
        for (mixed, sum) in mixed.chunks_exact_mut(head_dim).zip(&scratch.sums) {
            let share = sum.recip();
            mixed.iter_mut().for_each(|x| *x *= share);
        }
    }
}

/// Attention by its definition: `q` `[n, dim]`, `k` and `v` `[t, dim]`.
#[cfg(test)]
pub(super) fn plain(
    q: &candle_core::Tensor,
    k: &candle_core::Tensor,
    v: &candle_core::Tensor,
    heads: usize,
) -> candle_core::Tensor {
    use candle_core::{D, Tensor};
    let split = |x: &Tensor| {
        let (time, dim) = x.dims2().unwrap();
        x.reshape((time, heads, dim / heads)).unwrap().transpose(0, 1).unwrap().contiguous().unwrap()
    };
    let (q, k, v) = (split(q), split(k), split(v));
    let scale = (q.dim(D::Minus1).unwrap() as f64).powf(-0.5);
    let scores = (q.matmul(&k.t().unwrap()).unwrap() * scale).unwrap();
    let max = scores.max_keepdim(D::Minus1).unwrap();
    let exp = scores.broadcast_sub(&max).unwrap().exp().unwrap();
    let weights = exp.broadcast_div(&exp.sum_keepdim(D::Minus1).unwrap()).unwrap();
    let out = weights.matmul(&v).unwrap().transpose(0, 1).unwrap().contiguous().unwrap();
    out.flatten_from(1).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn whole_sequences_equal_the_definition() {
        for (time, heads, head_dim) in [(1, 2, 64), (63, 1, 32), (150, 3, 16), (49, 2, 80)] {
            let dim = heads * head_dim;
            let qkv = Tensor::randn(0f32, 1.0, (time, 3 * dim), &Device::Cpu).unwrap();
            let [q, k, v] = [0, 1, 2].map(|i| qkv.narrow(1, i * dim, dim).unwrap().contiguous().unwrap());
            let expected = values(&plain(&q, &k, &v, heads));
            let qkv = values(&qkv);
            let mut out = vec![0.0; time * dim];
            self_attention_into(&qkv, heads, &[time], Precision::F32, None, &mut out);
            assert!(out.iter().zip(&expected).all(|(out, expected)| (out - expected).abs() < 1e-4));
            // bf16 has eight bits, f16 eleven; values here reach 4.
            for (format, tolerance) in [(Narrow::Bf16, 0.03), (Narrow::F16, 0.004)] {
                if !format.is_available() {
                    continue;
                }
                let sequence = Sequence { qkv: &qkv, first: 0, time, heads, dim, add_bias: None };
                sequence.attend(|head| NarrowHead::new(&sequence, head, format), &mut out);
                assert!(out.iter().zip(&expected).all(|(out, expected)| (out - expected).abs() < tolerance));
            }
        }
    }

    #[test]
    fn sequences_attend_to_themselves_alone_and_see_their_bias() {
        let (heads, dim, lengths) = (2, 32, [5, 70]);
        let qkv = values(&Tensor::randn(0f32, 1.0, (75, 3 * dim), &Device::Cpu).unwrap());
        let only_key_of_query = |_: usize, at: QueryAt, scores: &mut [f32]| {
            scores.iter_mut().enumerate().for_each(|(key, score)| {
                if key != at.query {
                    *score = f32::NEG_INFINITY;
                }
            });
        };
        let mut out = vec![0.0; 75 * dim];
        self_attention_into(&qkv, heads, &lengths, Precision::F32, Some(&only_key_of_query), &mut out);
        for (row, out) in out.chunks_exact(dim).enumerate() {
            let value = &qkv[(3 * row + 2) * dim..(3 * row + 3) * dim];
            assert!(out.iter().zip(value).all(|(out, value)| (out - value).abs() < 1e-6));
        }
    }
}
