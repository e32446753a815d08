// Matrices of 16 × 16 elements, as the units of NVIDIA and AMD multiply.

const MATRIX: u32 = 16u;

alias LeftMatrix = coop_mat16x16<f16, A>;
alias RightMatrix = coop_mat16x16<f16, B>;
alias SumMatrix = coop_mat16x16<f32, C>;
