// f(t) = sin(ω t)        f′(t) = ω cos(ω t)
//
// Sitzmann, Martel, Bergman, Lindell & Wetzstein, "Implicit neural representations with periodic
// activation functions", 2020. WGSL grants its own `sin` an error of 2⁻¹¹, and none at all beyond
// ±π; this one is right to a few units in the last place of 1 for |ω t| up to 2¹³, and stays within
// ±1 beyond.
//
// Parameter   the frequency ω
// Host        src/linear/activation.rs

// x = k π + r with |r| <= π / 2.
struct Reduced {
    r: f32,
    negative: bool, // k is odd: sine and cosine have the other sign
}

// π is taken off in three parts, of which the first two have so few bits that k times them is exact
// (Cody & Waite, Software Manual for the Elementary Functions, 1980).
fn reduce(x: f32) -> Reduced {
    let bounded = clamp(x, -4194304.0, 4194304.0);
    let k = round(bounded * 0.31830989);
    let r = ((bounded - k * 3.140625) - k * 9.675025939941406e-4) - k * 1.5099579909783765e-7;
    return Reduced(r, (i32(k) & 1) != 0);
}

fn value(x: f32) -> f32 {
    let reduced = reduce(dims.parameter * x);
    let r = reduced.r;
    let s = r * r;
    // The series up to r¹³; the next term is below 1e-9.
    let sine = r * (1.0 - s * (1.0 / 6.0) * (1.0 - s * (1.0 / 20.0) * (1.0 - s * (1.0 / 42.0)
        * (1.0 - s * (1.0 / 72.0) * (1.0 - s * (1.0 / 110.0) * (1.0 - s * (1.0 / 156.0)))))));
    return clamp(select(sine, -sine, reduced.negative), -1.0, 1.0);
}

fn derivative(x: f32) -> f32 {
    let reduced = reduce(dims.parameter * x);
    let s = reduced.r * reduced.r;
    // The series up to r¹⁴; the next term is below 1e-10.
    let cosine = 1.0 - s * 0.5 * (1.0 - s * (1.0 / 12.0) * (1.0 - s * (1.0 / 30.0)
        * (1.0 - s * (1.0 / 56.0) * (1.0 - s * (1.0 / 90.0) * (1.0 - s * (1.0 / 132.0)
        * (1.0 - s * (1.0 / 182.0)))))));
    return dims.parameter * clamp(select(cosine, -cosine, reduced.negative), -1.0, 1.0);
}
