//! Values that do not depend on the input.

use super::error::OnnxError;
use super::graph::{Graph, attribute, input, int, operator};
use super::messages::{NodeProto, data_type};
use super::tensor::Constant;

/// How many nodes may lie between a constant and where it is used.
const DEPTH: usize = 8;

/// The constant of this name; `None` where it is none.
///
/// # Errors
/// Where its numbers cannot be read.
pub(super) fn constant(graph: &Graph<'_>, name: &str) -> Result<Option<Constant>, OnnxError> {
    let mut name = name;
    let mut transposed = false;
    for _ in 0..DEPTH {
        if let Some(tensor) = graph.tensor(name) {
            let constant = Constant::read(tensor)?;
            graph.spend(constant.values.len(), name)?;
            return Ok(finished(constant, transposed));
        }
        let Some(node) = graph.node(name) else {
            return Ok(None);
        };
        match operator(node) {
            "Constant" => {
                let Some(constant) = value(node)? else {
                    return Ok(None);
                };
                graph.spend(constant.values.len(), name)?;
                return Ok(finished(constant, transposed));
            }
            "Identity" => {}
            "Cast" if casts_to_f32(node) => {}
            "Transpose" if swaps_both(node) => transposed = !transposed,
            _ => return Ok(None),
        }
        name = input(node, 0);
    }
    Ok(None)
}

fn finished(constant: Constant, transposed: bool) -> Option<Constant> {
    if transposed {
        constant.transposed()
    } else {
        Some(constant)
    }
}

/// Whether a Cast gives f32.
pub(super) fn casts_to_f32(node: &NodeProto) -> bool {
    int(node, "to", 0) == i64::from(data_type::FLOAT)
}

/// Whether a Transpose exchanges rows and columns, which is what it does where nothing is said.
fn swaps_both(node: &NodeProto) -> bool {
    attribute(node, "perm").is_none_or(|perm| perm.ints == [1, 0])
}

/// What a `Constant` node holds, where that is floats.
fn value(node: &NodeProto) -> Result<Option<Constant>, OnnxError> {
    if let Some(tensor) = attribute(node, "value").and_then(|value| value.t.as_ref()) {
        return Constant::read(tensor).map(Some);
    }
    if let Some(values) = attribute(node, "value_floats") {
        return Ok(Some(Constant {
            shape: vec![values.floats.len()],
            values: values.floats.clone(),
        }));
    }
    Ok(attribute(node, "value_float").map(|value| Constant::scalar(value.f.unwrap_or(0.0))))
}
