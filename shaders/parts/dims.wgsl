// Sizes and ranges of a matrix product: c_ij = Σ_k a_ik b_kj for a range of rows, columns and
// terms.
//
// A product too large for one dispatch is cut into several; the bases say which stored row lies
// first in each binding.
// Host        src/linear/product.rs

struct Dims {
    m: u32,
    k: u32,
    n: u32,
    first_row: u32,
    end_row: u32,
    first_k: u32,
    end_k: u32,
    first_column: u32,
    end_column: u32,
    left_base: u32,
    right_base: u32,
    product_base: u32,
    slabs: u32,
    slab_terms: u32, // terms that each slab adds up
    slab_rows: u32, // rows of a slab in memory
    parameter: f32, // of the activation
}

@group(0) @binding(0) var<uniform> dims: Dims;
