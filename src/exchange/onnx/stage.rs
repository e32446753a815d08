//! A graph as the stages that lead from its input to its output.

use ndarray::{Array1, Array2};

use super::affine::{Operator, Step};
use super::constant::{casts_to_f32, constant};
use super::error::OnnxError;
use super::gate::{gated, thresholded, with_number};
use super::graph::{
    Graph, attribute, float, input, int, is_standard, misshapen, operator, unsupported,
};
use super::messages::NodeProto;
use super::tensor::Constant;
use crate::model::{Activation, LayerParameters};

/// What a value goes through.
pub(super) enum Stage {
    Affine(Step),
    /// Whether it has a bias already.
    Linear(LayerParameters, bool),
    Activation(Activation),
    Softmax,
}

/// A stage, and the node that it ends with.
pub(super) type Placed<'a> = (Stage, &'a NodeProto);

/// The stages from input to output, found from the output back.
pub(super) fn stages<'a>(graph: &Graph<'a>) -> Result<Vec<Placed<'a>>, OnnxError> {
    let mut found = Vec::new();
    let mut at = graph.output;
    for _ in 0..=graph.longest_way() {
        if at == graph.input {
            found.reverse();
            return Ok(found);
        }
        let node = graph.node(at).ok_or_else(|| OnnxError::Unknown {
            name: at.to_owned(),
        })?;
        if node.output.first().is_none_or(|output| output != at) {
            return Err(unsupported(node, "its first output alone can be used"));
        }
        let (stage, before) = stage(graph, node)?;
        found.extend(stage.map(|stage| (stage, node)));
        at = before;
    }
    let name = at.to_owned();
    Err(OnnxError::Circle { name })
}

/// What the node does, if anything, and the name of what it does it to.
fn stage<'a>(
    graph: &Graph<'a>,
    node: &'a NodeProto,
) -> Result<(Option<Stage>, &'a str), OnnxError> {
    if !is_standard(&node.domain) {
        return Err(unsupported(node, "not an operator of ONNX itself"));
    }
    let simple = |activation| Ok((Some(Stage::Activation(activation)), input(node, 0)));
    match operator(node) {
        "Relu" => simple(Activation::Relu),
        "Tanh" => simple(Activation::Tanh),
        "Sigmoid" => simple(Activation::Sigmoid),
        "Softplus" => simple(Activation::Softplus),
        "LeakyRelu" => simple(Activation::LeakyRelu {
            slope: float(node, "alpha", 0.01),
        }),
        "Gelu" => simple(gelu(node)?),
        "Swish" => simple(swish(node)?),
        "Sin" => sine(graph, node),
        "Where" => match thresholded(graph, node)? {
            Some(t) => Ok((Some(Stage::Activation(Activation::Softplus)), t)),
            None => Err(unsupported(node, "no softplus")),
        },
        "Softmax" => {
            // Behind the columns of a row there is nothing: −1 and 1 are the same.
            refuse_unless(node, matches!(int(node, "axis", -1), -1 | 1), "its axis")?;
            Ok((Some(Stage::Softmax), input(node, 0)))
        }
        "Gemm" => gemm(graph, node),
        "MatMul" => matmul(graph, node),
        "Add" | "Sub" | "Mul" | "Div" => arithmetic(graph, node),
        _ => passed_over(node),
    }
}

/// What changes nothing where rows are examples and columns numbers of f32.
fn passed_over(node: &NodeProto) -> Result<(Option<Stage>, &str), OnnxError> {
    match operator(node) {
        "Identity" => {}
        "Dropout" => {
            let trains = !input(node, 2).is_empty();
            refuse_unless(node, !trains, "its training mode")?;
        }
        "Flatten" => refuse_unless(node, int(node, "axis", 1) == 1, "its axis")?,
        "Cast" => refuse_unless(node, casts_to_f32(node), "its type; f32 alone")?,
        _ => return Err(unsupported(node, "no part of a multi-layer perceptron")),
    }
    Ok((None, input(node, 0)))
}

fn refuse_unless(node: &NodeProto, condition: bool, reason: &'static str) -> Result<(), OnnxError> {
    if condition {
        Ok(())
    } else {
        Err(unsupported(node, reason))
    }
}

fn gelu(node: &NodeProto) -> Result<Activation, OnnxError> {
    let is_exact = attribute(node, "approximate").is_none_or(|how| how.s == b"none");
    refuse_unless(node, is_exact, "its approximation; the exact GELU alone")?;
    Ok(Activation::Gelu)
}

fn swish(node: &NodeProto) -> Result<Activation, OnnxError> {
    let is_silu = float(node, "alpha", 1.0) == 1.0;
    refuse_unless(node, is_silu, "its alpha; t · σ(t) alone")?;
    Ok(Activation::Silu)
}

/// sin t, or sin(frequency · t).
fn sine<'a>(graph: &Graph<'a>, node: &'a NodeProto) -> Result<(Option<Stage>, &'a str), OnnxError> {
    let argument = input(node, 0);
    let product = graph.node(argument).filter(|mul| operator(mul) == "Mul");
    let product = match product {
        Some(mul) => with_number(graph, mul)?,
        None => None,
    };
    let (t, frequency) = product.unwrap_or((argument, 1.0));
    Ok((Some(Stage::Activation(Activation::Sine { frequency })), t))
}

/// alpha · X·W + beta · b.
fn gemm<'a>(graph: &Graph<'a>, node: &'a NodeProto) -> Result<(Option<Stage>, &'a str), OnnxError> {
    refuse_unless(node, int(node, "transA", 0) == 0, "its transA")?;
    let w = weight(graph, node)?;
    let w = if int(node, "transB", 0) == 0 {
        w
    } else {
        w.t().as_standard_layout().into_owned()
    };
    let b = match input(node, 2) {
        "" => Array1::zeros(w.ncols()),
        name => {
            let b = constant(graph, name)?
                .ok_or_else(|| unsupported(node, "its bias is no constant"))?;
            bias(node, &b, w.ncols())?
        }
    };
    let (alpha, beta) = (float(node, "alpha", 1.0), float(node, "beta", 1.0));
    let layer = LayerParameters {
        w: w.mapv_into(|w| alpha * w),
        b: b.mapv_into(|b| beta * b),
    };
    Ok((Some(Stage::Linear(layer, true)), input(node, 0)))
}

/// X·W.
fn matmul<'a>(
    graph: &Graph<'a>,
    node: &'a NodeProto,
) -> Result<(Option<Stage>, &'a str), OnnxError> {
    let w = weight(graph, node)?;
    let b = Array1::zeros(w.ncols());
    let layer = LayerParameters { w, b };
    Ok((Some(Stage::Linear(layer, false)), input(node, 0)))
}

/// The second factor of a product: a matrix of one number or more.
fn weight(graph: &Graph<'_>, node: &NodeProto) -> Result<Array2<f32>, OnnxError> {
    let weight = constant(graph, input(node, 1))?
        .ok_or_else(|| unsupported(node, "its second factor is no constant"))?;
    let wrong = |shape: &[usize]| misshapen(node, "a matrix, each size at least 1", shape);
    match weight.matrix() {
        // A matrix without numbers might have any size in the other direction.
        Some(shape) if !weight.values.is_empty() => {
            Array2::from_shape_vec(shape, weight.values).map_err(|_| wrong(&shape))
        }
        _ => Err(wrong(&weight.shape)),
    }
}

/// A number for each column, from as many, or from one.
fn bias(node: &NodeProto, b: &Constant, columns: usize) -> Result<Array1<f32>, OnnxError> {
    match (b.is_row(), b.values.len()) {
        (true, len) if len == columns => Ok(b.values.iter().copied().collect()),
        (true, 1) => Ok(Array1::from_elem(columns, b.values[0])),
        _ => Err(misshapen(node, &format!("a row of {columns}"), &b.shape)),
    }
}

/// Arithmetic with a constant, or the end of an activation that is a product.
fn arithmetic<'a>(
    graph: &Graph<'a>,
    node: &'a NodeProto,
) -> Result<(Option<Stage>, &'a str), OnnxError> {
    let kind = operator(node);
    if kind == "Mul"
        && let Some((activation, t)) = gated(graph, node)?
    {
        return Ok((Some(Stage::Activation(activation)), t));
    }
    let names = [input(node, 0), input(node, 1)];
    let constants = [constant(graph, names[0])?, constant(graph, names[1])?];
    let (operator, constant, before) = match (kind, constants) {
        ("Add", [None, Some(c)]) => (Operator::Add, c, names[0]),
        ("Add", [Some(c), None]) => (Operator::Add, c, names[1]),
        ("Sub", [None, Some(c)]) => (Operator::Subtract, c, names[0]),
        ("Sub", [Some(c), None]) => (Operator::SubtractFrom, c, names[1]),
        ("Mul", [None, Some(c)]) => (Operator::Multiply, c, names[0]),
        ("Mul", [Some(c), None]) => (Operator::Multiply, c, names[1]),
        ("Div", [None, Some(c)]) => (Operator::Divide, c, names[0]),
        _ => return Err(unsupported(node, "not with one constant, behind or before")),
    };
    if !constant.is_row() || constant.values.is_empty() {
        return Err(misshapen(node, "a row or a number", &constant.shape));
    }
    Ok((Some(Stage::Affine(Step { operator, constant })), before))
}
