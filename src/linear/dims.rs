//! The uniform of every matrix product.

use crate::kernel::uniform;

uniform! {
    /// `Dims` in `parts/dims.wgsl`; its comments say what each member means.
    pub(super) struct ProductDims {
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
        slab_terms: u32,
        slab_rows: u32,
        parameter: f32,
    }
}
