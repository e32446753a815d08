//! Activations that a graph writes with several nodes.

use super::constant::constant;
use super::error::OnnxError;
use super::graph::{Graph, input, operator};
use super::messages::NodeProto;
use crate::model::Activation;

/// How many products may lie within each other.
const DEPTH: usize = 4;

/// A function of t, which with t and a number makes an activation.
struct Gate<'a> {
    activation: Activation,
    /// The name of t.
    t: &'a str,
    /// The name of the function's value.
    value: &'a str,
    /// activation(t) = number · t · value.
    number: f32,
}

/// The activation that this `Mul` ends, and the name of its argument.
///
/// SiLU is t · σ(t). GELU is t · (1 + erf(t / √2)) / 2 in the operators from before version 20, with
/// its three factors in any order.
pub(super) fn gated<'a>(
    graph: &Graph<'a>,
    mul: &'a NodeProto,
) -> Result<Option<(Activation, &'a str)>, OnnxError> {
    let Some(gate) = find(graph, mul, DEPTH)? else {
        return Ok(None);
    };
    let mut factors = Factors {
        number: 1.0,
        names: Vec::new(),
    };
    for name in factors_of(mul) {
        factors.gather(graph, name, &gate, DEPTH)?;
    }
    factors.names.sort_unstable();
    let mut expected = [gate.t, gate.value];
    expected.sort_unstable();
    let is_gated = factors.names == expected && is_near(factors.number, gate.number);
    Ok(is_gated.then_some((gate.activation, gate.t)))
}

/// A gate among the factors of a product.
fn find<'a>(
    graph: &Graph<'a>,
    mul: &'a NodeProto,
    depth: usize,
) -> Result<Option<Gate<'a>>, OnnxError> {
    for value in factors_of(mul) {
        let Some(node) = graph.node(value) else {
            continue;
        };
        let gate = match operator(node) {
            "Sigmoid" => Some(Gate {
                activation: Activation::Silu,
                t: input(node, 0),
                value,
                number: 1.0,
            }),
            "Add" => one_plus_erf(graph, node)?.map(|t| Gate {
                activation: Activation::Gelu,
                t,
                value,
                number: 0.5,
            }),
            "Mul" if depth > 1 => find(graph, node, depth - 1)?,
            _ => None,
        };
        if gate.is_some() {
            return Ok(gate);
        }
    }
    Ok(None)
}

/// t of 1 + erf(t / √2).
fn one_plus_erf<'a>(graph: &Graph<'a>, add: &'a NodeProto) -> Result<Option<&'a str>, OnnxError> {
    let Some((erf, 1.0)) = with_number(graph, add)? else {
        return Ok(None);
    };
    let erf = graph.node(erf).filter(|node| operator(node) == "Erf");
    let Some(scaled) = erf.and_then(|erf| graph.node(input(erf, 0))) else {
        return Ok(None);
    };
    let Some((t, number)) = with_number(graph, scaled)? else {
        return Ok(None);
    };
    let is_root_of_half = match operator(scaled) {
        "Mul" => is_near(number, std::f32::consts::FRAC_1_SQRT_2),
        "Div" => is_near(number, std::f32::consts::SQRT_2) && input(scaled, 0) == t,
        _ => false,
    };
    Ok(is_root_of_half.then_some(t))
}

/// t of `Where(t > threshold, t, Softplus(t))`, as PyTorch writes a softplus. Where t is so large,
/// both are the same to rounding: log(1 + eᵗ) − t < e⁻ᵗ.
pub(super) fn thresholded<'a>(
    graph: &Graph<'a>,
    choice: &'a NodeProto,
) -> Result<Option<&'a str>, OnnxError> {
    let [condition, t, otherwise] = [0, 1, 2].map(|place| input(choice, place));
    let is = |name, kind| graph.node(name).filter(|node| operator(node) == kind);
    let (Some(greater), Some(softplus)) = (is(condition, "Greater"), is(otherwise, "Softplus"))
    else {
        return Ok(None);
    };
    let threshold = constant(graph, input(greater, 1))?.and_then(|constant| constant.single());
    let is_far = threshold.is_some_and(|threshold| threshold >= 16.0);
    let is_of_t = input(greater, 0) == t && input(softplus, 0) == t;
    Ok((is_far && is_of_t).then_some(t))
}

/// The two inputs of a node, of which one is a number.
pub(super) fn with_number<'a>(
    graph: &Graph<'a>,
    node: &'a NodeProto,
) -> Result<Option<(&'a str, f32)>, OnnxError> {
    let [a, b] = [input(node, 0), input(node, 1)];
    for (name, other) in [(a, b), (b, a)] {
        if let Some(number) = constant(graph, other)?.and_then(|constant| constant.single()) {
            return Ok(Some((name, number)));
        }
    }
    Ok(None)
}

/// The two factors of a product. A damaged file may have any number, and no number of them may
/// multiply from product to product.
fn factors_of(mul: &NodeProto) -> impl Iterator<Item = &str> {
    mul.input.iter().take(2).map(|name| &name[..])
}

/// A product as one number and names.
struct Factors<'a> {
    number: f32,
    names: Vec<&'a str>,
}

impl<'a> Factors<'a> {
    /// Takes products apart, but for what the gate is made of.
    fn gather(
        &mut self,
        graph: &Graph<'a>,
        name: &'a str,
        gate: &Gate<'a>,
        depth: usize,
    ) -> Result<(), OnnxError> {
        if let Some(number) = constant(graph, name)?.and_then(|constant| constant.single()) {
            self.number *= number;
            return Ok(());
        }
        let product = graph.node(name).filter(|node| operator(node) == "Mul");
        match product {
            Some(mul) if name != gate.t && name != gate.value && depth > 1 => {
                for name in factors_of(mul) {
                    self.gather(graph, name, gate, depth - 1)?;
                }
            }
            _ => self.names.push(name),
        }
        Ok(())
    }
}

/// Equal but for rounding: some files are written with fewer digits.
fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-4 * b.abs()
}
