// What becomes of a finished sum: + bias, activation, · f′(t), and where it is stored.
//
// Passes      a long sum is taken in several dispatches. The first adds the bias; the others
//             ACCUMULATE, that is, add to what the one before has stored; the last one applies the
//             activation. Each is compiled with the constants it needs
// Parts       activations/*, nan
// Slabs       or a sum is taken by several workgroups at once, each storing its part in a slab of
//             its own: slab_rows × n, the last row being the column sums where they are wanted.
//             sum_slabs.wgsl adds them up in a fixed order

const ADD_BIAS: bool = false; // product = sum + bias
const ACCUMULATE: bool = false; // product = product + sum
const ACTIVATE: bool = false; // activated = f(product)
const TIMES_SLOPE: bool = false; // product = sum · f′(t)
const ACTIVATE_ALONE: bool = false; // product = f(sum)
const SUM_COLUMNS: bool = false; // db = column sums of the right factor
const TO_SLAB: bool = false;

// Whether `activate` stores the product, so that the sum itself need not be stored.
const STORED_LATER: bool = TIMES_SLOPE || ACTIVATE_ALONE;

fn value4(x: vec4<f32>) -> vec4<f32> {
    return or_nan4(x, vec4<f32>(value(x.x), value(x.y), value(x.z), value(x.w)));
}

fn derivative4(x: vec4<f32>) -> vec4<f32> {
    let slopes = vec4<f32>(derivative(x.x), derivative(x.y), derivative(x.z), derivative(x.w));
    return or_nan4(x, slopes);
}

// What is added to every row of these four columns; anything where they lie outside.
fn addend(column: u32) -> vec4<f32> {
    if ADD_BIAS {
        return load_bias(min(column, (dims.n - 1u) / 4u * 4u));
    }
    return vec4<f32>();
}

// Stores columns `column` to `column + 3` of `row`, which lie inside, as far as there are so many.
// Returns the sum as far as it goes.
fn store_sum(row: u32, column: u32, slab: u32, sum: vec4<f32>) -> vec4<f32> {
    if TO_SLAB {
        store_product(slab * dims.slab_rows + row, column, sum);
        return sum;
    }
    if ACCUMULATE {
        let total = load_product(row, column) + sum;
        store_unless_later(row, column, total);
        return total;
    }
    store_unless_later(row, column, sum);
    return sum;
}

fn store_unless_later(row: u32, column: u32, sum: vec4<f32>) {
    if !STORED_LATER {
        store_product(row, column, sum);
    }
}

// The activation of what store_sum has returned.
fn activate(row: u32, column: u32, sum: vec4<f32>) {
    if TIMES_SLOPE {
        store_product(row, column, sum * derivative4(load_t(row, column)));
    }
    if ACTIVATE_ALONE {
        store_product(row, column, value4(sum));
    }
    if ACTIVATE {
        store_activated(row, column, value4(sum));
    }
}

fn store_inside(row: u32, column: u32, slab: u32, sum: vec4<f32>) {
    activate(row, column, store_sum(row, column, slab, sum));
}

fn store(row: u32, column: u32, slab: u32, sum: vec4<f32>) {
    if (row < dims.end_row) & (column < dims.end_column) {
        store_inside(row, column, slab, sum);
    }
}

fn store_columns(column: u32, slab: u32, sum: vec4<f32>) {
    if column < dims.end_column {
        if TO_SLAB {
            store_product(slab * dims.slab_rows + dims.m, column, sum);
        } else if ACCUMULATE {
            store_db(column, load_db(column) + sum);
        } else {
            store_db(column, sum);
        }
    }
}
