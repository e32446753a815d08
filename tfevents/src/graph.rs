//! Graphs of operations, as TensorBoard draws them.

use std::collections::BTreeMap;

use super::{shape, wire};

/// A computation as a graph of [nodes](Node): TensorBoard draws it under *Graphs*.
///
/// ```
/// use tfevents::{Graph, Node};
///
/// let graph = Graph::new()
///     .node(Node::new("x", "Placeholder").shape(&[None, Some(64)]))
///     .node(Node::new("layer1/w", "Variable").shape(&[Some(64), Some(10)]))
///     .node(Node::new("layer1/matmul", "MatMul").input("x").input("layer1/w").shape(&[None, Some(10)]));
/// assert_eq!(graph.nodes().len(), 3);
/// ```
///
/// Source: `tensorflow/core/framework/graph.proto`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// No nodes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node. Names should be unique; inputs that are no node of the graph are drawn as nodes
    /// of unknown kind.
    #[must_use]
    pub fn node(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// The nodes, in the order in which they were added.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The fields of a `GraphDef` message: what an event stores.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for node in &self.nodes {
            wire::put_message(&mut data, NODE, |data| node.put(data));
        }
        wire::put_message(&mut data, VERSIONS, |data| {
            wire::put_integer(data, PRODUCER, GRAPH_VERSION);
        });
        data
    }
}

/// An operation of a [`Graph`].
///
/// TensorBoard draws nodes whose names begin alike, up to a slash, as one box that can be opened:
/// `layer1/w` and `layer1/b` are in `layer1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    name: String,
    op: String,
    inputs: Vec<String>,
    attributes: BTreeMap<String, Attribute>,
}

impl Node {
    /// A node without inputs. `op` is the kind of operation, such as `MatMul`.
    #[must_use]
    pub fn new(name: &str, op: &str) -> Self {
        Self {
            name: name.to_owned(),
            op: op.to_owned(),
            inputs: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// Adds an edge from the node `name`.
    #[must_use]
    pub fn input(mut self, name: &str) -> Self {
        self.inputs.push(name.to_owned());
        self
    }

    /// Sets the shape of the result, which is written along its edges; `None` is a size that is not
    /// known, such as the batch.
    #[must_use]
    pub fn shape(self, sizes: &[Option<u64>]) -> Self {
        self.with(OUTPUT_SHAPES, Attribute::Shape(sizes.to_vec()))
    }

    /// Adds a property, shown where the node is selected. One that is there already gets the new
    /// value.
    #[must_use]
    pub fn attribute(self, key: &str, value: &str) -> Self {
        self.with(key, Attribute::Text(value.to_owned()))
    }

    fn with(mut self, key: &str, attribute: Attribute) -> Self {
        self.attributes.insert(key.to_owned(), attribute);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind of operation.
    #[must_use]
    pub fn op(&self) -> &str {
        &self.op
    }

    /// The names of the nodes that it reads.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn put(&self, data: &mut Vec<u8>) {
        wire::put_text(data, NAME, &self.name);
        wire::put_text(data, OP, &self.op);
        for input in &self.inputs {
            wire::put_bytes(data, INPUT, input.as_bytes());
        }
        // In the order of the keys: a map has none of its own, and the same graph shall give the
        // same bytes.
        for (key, attribute) in &self.attributes {
            wire::put_message(data, ATTR, |data| {
                wire::put_bytes(data, MAP_KEY, key.as_bytes());
                wire::put_message(data, MAP_VALUE, |data| attribute.put(data));
            });
        }
    }
}

/// What an `AttrValue` holds.
#[derive(Clone, Debug, PartialEq)]
enum Attribute {
    Text(String),
    /// A list of one shape, for every node has one result.
    Shape(Vec<Option<u64>>),
}

impl Attribute {
    fn put(&self, data: &mut Vec<u8>) {
        match self {
            Self::Text(text) => wire::put_bytes(data, ATTR_STRING, text.as_bytes()),
            Self::Shape(sizes) => wire::put_message(data, ATTR_LIST, |data| {
                wire::put_message(data, LIST_SHAPE, |data| shape::put(data, sizes));
            }),
        }
    }
}

/// Where TensorBoard looks for the shapes of a node's results.
const OUTPUT_SHAPES: &str = "_output_shapes";

/// Fields of `GraphDef` and `VersionDef`.
const NODE: u8 = 1;
const VERSIONS: u8 = 4;
const PRODUCER: u8 = 1;
/// As PyTorch writes it: old enough for every reader.
const GRAPH_VERSION: i64 = 22;
/// Fields of `NodeDef`.
const NAME: u8 = 1;
const OP: u8 = 2;
const INPUT: u8 = 3;
const ATTR: u8 = 5;
/// Fields of every map's entries.
const MAP_KEY: u8 = 1;
const MAP_VALUE: u8 = 2;
/// Fields of `AttrValue` and its `ListValue`.
const ATTR_LIST: u8 = 1;
const ATTR_STRING: u8 = 2;
const LIST_SHAPE: u8 = 7;
