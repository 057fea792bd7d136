//! What makes networks fast on a CPU: packed linear layers, attention, convolution, threads.
