// Eight rows of the left factor for one thread: every thread of the workgroup loads all of them.

const LANES: u32 = 16u; // threads of a workgroup

alias Rows = array<mat4x4<f32>, 2>;

fn load_rows(row: u32, k: u32, end_k: u32, lane: u32) -> Rows {
    return Rows(left_block(row, k, end_k), left_block(row + 4u, k, end_k));
}

// Elements k to k + 3 of row r of the eight.
fn terms_of(rows: Rows, r: u32) -> vec4<f32> {
    let block = rows[r / 4u];
    let i = r % 4u;
    return vec4<f32>(block[0][i], block[1][i], block[2][i], block[3][i]);
}
