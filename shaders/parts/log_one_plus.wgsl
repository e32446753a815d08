// log(1 + e), for e from 0 to 1.

// The sum 1 + e loses the digits of a small e; the next term of the series is below 1e-8.
fn log_one_plus(e: f32) -> f32 {
    let series = e * (1.0 - e * (1.0 / 2.0 - e * (1.0 / 3.0 - e * (1.0 / 4.0 - e * (1.0 / 5.0
        - e * (1.0 / 6.0 - e * (1.0 / 7.0 - e * (1.0 / 8.0))))))));
    return select(log(1.0 + e), series, e < 0.125);
}
