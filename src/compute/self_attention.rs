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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::plain::attention;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    /// What queries see of the keys of their sequence.
    #[derive(Debug, Clone, Copy)]
    enum Form {
        Full,
        /// What came before them.
        Causal,
        /// The first half; the rest stands for padding.
        Padded,
        /// What is near.
        Windowed,
        /// All, with a bias by head, distance and direction.
        Relative,
    }

    const FORMS: [Form; 5] = [Form::Full, Form::Causal, Form::Padded, Form::Windowed, Form::Relative];

    impl Form {
        fn bias(self, head: usize, query: usize, time: usize) -> Vec<f32> {
            let sees = |key: usize| match self {
                Self::Full | Self::Relative => true,
                Self::Causal => key <= query,
                Self::Padded => key < time.div_ceil(2),
                Self::Windowed => key.abs_diff(query) <= 3,
            };
            let of_key = |key: usize| match (self, sees(key)) {
                (Self::Relative, _) => (key as f32 - query as f32) * 0.05 * (head + 1) as f32,
                (_, true) => 0.0,
                (_, false) => f32::NEG_INFINITY,
            };
            (0..time).map(of_key).collect()
        }
    }

    fn expected(qkv: &[f32], heads: usize, head_dim: usize, lengths: &[usize], form: Form) -> Vec<f32> {
        let dim = heads * head_dim;
        let mut out = Vec::new();
        let mut first = 0;
        for &time in lengths {
            let rows = &qkv[first * 3 * dim..(first + time) * 3 * dim];
            let part = |part: usize, head: usize| -> Vec<&[f32]> {
                rows.chunks_exact(3 * dim)
                    .map(|row| &row[part * dim + head * head_dim..][..head_dim])
                    .collect()
            };
            let mixed: Vec<Vec<f32>> = (0..heads)
                .map(|head| {
                    let [queries, keys, values] = [0, 1, 2].map(|index| part(index, head));
                    let mix = |(at, query): (usize, &&[f32])| {
                        attention(query, &keys, &values, &form.bias(head, at, time))
                    };
                    queries.iter().enumerate().flat_map(mix).collect()
                })
                .collect();
            for row in 0..time {
                mixed.iter().for_each(|head| out.extend_from_slice(&head[row * head_dim..][..head_dim]));
            }
            first += time;
        }
        out
    }

    /// Lengths about those at which queries make another block, or keys another vector.
    fn length() -> impl Strategy<Value = usize> {
        // Miri is slow.
        match cfg!(miri) {
            true => (0usize..6).boxed(),
            false => prop_oneof![0usize..6, 14usize..18, 62usize..67, 127usize..131].boxed(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 96 }))]

        #[test]
        fn sequences_equal_the_definition_in_every_form(
            lengths in prop::collection::vec(length(), 1..4), heads in 1usize..4, head_dim in 1usize..35,
            form in prop::sample::select(&FORMS[..]), seed in 0u32..99,
        ) {
            let (time, dim) = (lengths.iter().sum::<usize>(), heads * head_dim);
            let qkv: Vec<f32> = values(time * 3 * dim, seed).iter().map(|x| 3.0 * x).collect();
            let expected = expected(&qkv, heads, head_dim, &lengths, form);
            let add_bias = |head: usize, at: QueryAt, scores: &mut [f32]| {
                let bias = form.bias(head, at.query, scores.len());
                scores.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
            };
            let add_bias: Option<&AddBias> = match form {
                Form::Full => None,
                _ => Some(&add_bias),
            };
            let far = |out: &[f32], tolerance: f32| {
                out.iter().zip(&expected).find(|(out, expected)| (*out - *expected).abs() > tolerance).map(|(a, b)| (*a, *b))
            };
            let mut out = vec![f32::NAN; time * dim];
            self_attention_into(&qkv, heads, &lengths, Precision::F32, add_bias, &mut out);
            prop_assert!(out.iter().all(|x| x.is_finite()));
            prop_assert_eq!(far(&out, 1e-5), None);
            // bf16 has eight bits, f16 eleven, sums among them; values here reach 1.5.
            for (format, tolerance) in [(Narrow::Bf16, 0.03), (Narrow::F16, 0.008)] {
                if !format.is_available() || !head_dim.is_multiple_of(2) {
                    continue;
                }
                let (mut rest, mut first) = (&mut out[..], 0);
                for &length in &lengths {
                    let qkv = &qkv[first * 3 * dim..(first + length) * 3 * dim];
                    let sequence = Sequence { qkv, first, time: length, heads, dim, add_bias };
                    let (out, others) = rest.split_at_mut(length * dim);
                    if length > 0 {
                        sequence.attend(|head| NarrowHead::new(&sequence, head, format), out);
                    }
                    (rest, first) = (others, first + length);
                }
                prop_assert_eq!(far(&out, tolerance), None, "{:?}", format);
            }
        }
    }

    /// Rows are told by their place among all, and where they are in their own sequence.
    #[test]
    fn biases_hear_of_every_row_and_head_once() {
        let (heads, dim, lengths) = (2, 4, [5, 0, 70]);
        let qkv = values(75 * 3 * dim, 1);
        let seen = std::sync::Mutex::new(Vec::new());
        let note = |head: usize, at: QueryAt, scores: &mut [f32]| {
            seen.lock().unwrap().push((at.row, head, at.query, scores.len()));
        };
        let mut out = vec![0.0; 75 * dim];
        self_attention_into(&qkv, heads, &lengths, Precision::F32, Some(&note), &mut out);
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        let of_row = |row: usize| if row < 5 { (row, 5) } else { (row - 5, 70) };
        let expected: Vec<_> = (0..75)
            .flat_map(|row| (0..heads).map(move |head| (row, head, of_row(row).0, of_row(row).1)))
            .collect();
        assert_eq!(seen, expected);
    }
}
