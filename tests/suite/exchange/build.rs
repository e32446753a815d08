//! ONNX files as others might write them, put together field by field: field numbers and types are
//! those of `onnx.proto`, written down once more here.

/// A message of protocol buffers.
#[derive(Clone, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub(crate) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(crate) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub(crate) fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }
}

/// `AttributeProto`s.
pub(crate) fn float(name: &str, value: f32) -> Message {
    Message::default().text(1, name).float(2, value).int(20, 1)
}

pub(crate) fn int(name: &str, value: i64) -> Message {
    Message::default().text(1, name).int(3, value).int(20, 2)
}

pub(crate) fn string(name: &str, value: &str) -> Message {
    Message::default().text(1, name).text(4, value).int(20, 3)
}

pub(crate) fn tensor_attribute(name: &str, value: Message) -> Message {
    Message::default()
        .text(1, name)
        .message(5, value)
        .int(20, 4)
}

pub(crate) fn floats(name: &str, values: &[f32]) -> Message {
    let message = Message::default().text(1, name).int(20, 6);
    values.iter().fold(message, |m, v| m.float(7, *v))
}

pub(crate) fn ints(name: &str, values: &[i64]) -> Message {
    let message = Message::default().text(1, name).int(20, 7);
    values.iter().fold(message, |m, v| m.int(8, *v))
}

/// A `TensorProto` without numbers.
pub(crate) fn tensor_of(name: &str, shape: &[i64], data_type: i64) -> Message {
    let message = Message::default().text(8, name).int(2, data_type);
    shape.iter().fold(message, |m, size| m.int(1, *size))
}

/// A `TensorProto` of f32 as raw bytes.
pub(crate) fn raw(name: &str, shape: &[i64], values: &[f32]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor_of(name, shape, 1).bytes(9, &bytes)
}

/// A `GraphProto` from `x` to `y`, and the version of its operators.
#[derive(Clone)]
pub(crate) struct Graph {
    pub(crate) message: Message,
    pub(crate) opset: Option<i64>,
}

impl Graph {
    pub(crate) fn bare() -> Self {
        Self {
            message: Message::default().text(2, "test"),
            opset: Some(18),
        }
    }

    pub(crate) fn new() -> Self {
        Self::bare().end(11, "x").end(12, "y")
    }

    /// An input (field 11) or output (field 12).
    pub(crate) fn end(mut self, field: u64, name: &str) -> Self {
        self.message = self
            .message
            .message(field, Message::default().text(1, name));
        self
    }

    /// An initializer.
    pub(crate) fn tensor(mut self, tensor: Message) -> Self {
        self.message = self.message.message(5, tensor);
        self
    }

    /// An initializer of f32.
    pub(crate) fn constant(self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        self.tensor(raw(name, shape, values))
    }

    /// `OPERATOR INPUT… OUTPUT`, named after its output.
    pub(crate) fn node(self, words: &str, attributes: &[Message]) -> Self {
        self.node_in("", words, attributes)
    }

    pub(crate) fn node_in(mut self, domain: &str, words: &str, attributes: &[Message]) -> Self {
        let words: Vec<&str> = words.split(' ').collect();
        let (output, words) = words.split_last().unwrap();
        // `-` stands for an input that is not there.
        let inputs = words[1..].iter().map(|name| name.trim_matches('-'));
        let node = inputs.fold(Message::default(), |m, name| m.text(1, name));
        let node = node.text(2, output).text(3, &format!("the {output}"));
        let node = node.text(4, words[0]).text(7, domain);
        let node = attributes.iter().fold(node, |m, a| m.message(5, a.clone()));
        self.message = self.message.message(1, node);
        self
    }

    /// A 2 × 3 product of `from` and its bias.
    pub(crate) fn linear(self, from: &str, to: &str) -> Self {
        self.constant("w", &[2, 3], &[1.0, -2.0, 0.5, 0.25, 3.0, -1.0])
            .constant("b", &[3], &[0.5, -0.25, 1.0])
            .node(&format!("Gemm {from} w b {to}"), &[])
    }

    /// The `ModelProto`.
    pub(crate) fn file(self) -> Vec<u8> {
        let file = Message::default().int(1, 8).message(7, self.message);
        match self.opset {
            None => file.0,
            Some(version) => {
                let opset = Message::default().text(1, "").int(2, version);
                // Others come with operators of their own.
                let other = Message::default().text(1, "com.example").int(2, 1);
                file.message(8, other).message(8, opset).0
            }
        }
    }
}
