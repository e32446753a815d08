// Eight rows of the left factor, one load of four elements a thread: the eight threads of a
// subgroup hand them to each other.
//
// Subgroups of at least 8 threads are needed. r is a constant once the loop around terms_of is
// unrolled, and a shuffle from a constant thread is a plain broadcast: on llvmpipe one instruction,
// where a load takes one for each thread.

const LANES: u32 = 8u; // threads of a workgroup

alias Rows = vec4<f32>;

fn load_rows(row: u32, k: u32, end_k: u32, lane: u32) -> Rows {
    if LEFT_IS_TRANSPOSED {
        return load_left(k + lane % 4u, row + lane / 4u * 4u, end_k, dims.end_row);
    }
    return load_left(row + lane, k, dims.end_row, end_k);
}

// Elements k to k + 3 of row r of the eight.
fn terms_of(rows: Rows, r: u32) -> vec4<f32> {
    if LEFT_IS_TRANSPOSED {
        let element = rows[r % 4u];
        let lane = r / 4u * 4u;
        return vec4<f32>(
            subgroupShuffle(element, lane), subgroupShuffle(element, lane + 1u),
            subgroupShuffle(element, lane + 2u), subgroupShuffle(element, lane + 3u));
    }
    return subgroupShuffle(rows, r);
}
