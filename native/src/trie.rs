//! Merkle Patricia tries of which only some nodes are at hand, as a witness gives them.
//!
//! Every node is found by its hash, so whatever is reached from a trusted root is proven. Keys are hashes and
//! so of one length: no branch holds a value.

use revm::primitives::{B256, HashMap, keccak256};

use crate::rlp::{list, put_bytes};
use crate::wire::Malformed;

pub const EMPTY_ROOT: B256 =
    revm::primitives::b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Why there is no root.
#[derive(Debug)]
pub enum Fault {
    /// A node that is needed is not at hand.
    Missing(B256),
    Malformed(&'static str),
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}

pub type Nodes = HashMap<B256, Vec<u8>>;

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    /// A node that has not been opened.
    Hash(B256),
    Leaf(Vec<u8>, Vec<u8>),
    Extension(Vec<u8>, Box<Node>),
    Branch(Box<[Node; 16]>),
}

/// A trie under one root.
pub struct Trie<'a> {
    nodes: &'a Nodes,
    root: Node,
}

impl<'a> Trie<'a> {
    pub fn new(root: B256, nodes: &'a Nodes) -> Self {
        let root = if root == EMPTY_ROOT { Node::Empty } else { Node::Hash(root) };
        Self { nodes, root }
    }

    /// Return the value under a key.
    pub fn get(&self, key: B256) -> Result<Option<Vec<u8>>, Fault> {
        get(&self.root, &nibbles_of(key.as_slice()), self.nodes)
    }

    /// Set the value under a key; none removes it.
    pub fn put(&mut self, key: B256, value: Option<Vec<u8>>) -> Result<(), Fault> {
        let path = nibbles_of(key.as_slice());
        let root = std::mem::take(&mut self.root);
        self.root = match value {
            Some(value) => put(root, &path, value, self.nodes)?,
            None => remove(root, &path, self.nodes)?,
        };
        Ok(())
    }

    pub fn root(&self) -> B256 {
        match &self.root {
            Node::Empty => EMPTY_ROOT,
            Node::Hash(hash) => *hash,
            node => keccak256(encode(node)),
        }
    }
}

fn nibbles_of(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

fn open(node: Node, nodes: &Nodes) -> Result<Node, Fault> {
    match node {
        Node::Hash(hash) => decode(nodes.get(&hash).ok_or(Fault::Missing(hash))?),
        opened => Ok(opened),
    }
}

fn get(node: &Node, path: &[u8], nodes: &Nodes) -> Result<Option<Vec<u8>>, Fault> {
    match node {
        Node::Empty => Ok(None),
        Node::Hash(_) => get(&open(node.clone(), nodes)?, path, nodes),
        Node::Leaf(own, value) => Ok((own == path).then(|| value.clone())),
        Node::Extension(own, child) => match path.strip_prefix(&own[..]) {
            Some(rest) => get(child, rest, nodes),
            None => Ok(None),
        },
        Node::Branch(children) => match path.split_first() {
            Some((first, rest)) => get(&children[*first as usize], rest, nodes),
            None => Ok(None),
        },
    }
}

fn put(node: Node, path: &[u8], value: Vec<u8>, nodes: &Nodes) -> Result<Node, Fault> {
    let (own, rest_of_own): (Vec<u8>, Box<dyn FnOnce(Vec<u8>) -> Node>) = match open(node, nodes)? {
        Node::Empty | Node::Hash(_) => return Ok(Node::Leaf(path.to_vec(), value)),
        Node::Branch(mut children) => {
            let (first, rest) = path.split_first().ok_or(Fault::Malformed("a key ends in a branch"))?;
            let child = &mut children[*first as usize];
            *child = put(std::mem::take(child), rest, value, nodes)?;
            return Ok(Node::Branch(children));
        }
        Node::Leaf(own, _) if own == path => return Ok(Node::Leaf(own, value)),
        Node::Extension(own, child) if path.starts_with(&own) => {
            let child = put(*child, &path[own.len()..], value, nodes)?;
            return Ok(Node::Extension(own, Box::new(child)));
        }
        Node::Leaf(own, held) => (own, Box::new(move |rest| Node::Leaf(rest, held))),
        Node::Extension(own, child) => (
            own,
            Box::new(move |rest: Vec<u8>| if rest.is_empty() { *child } else { Node::Extension(rest, child) }),
        ),
    };
    // The paths part: what is left of both hangs under a new branch.
    let shared = own.iter().zip(path).take_while(|(one, other)| one == other).count();
    if shared == own.len() || shared == path.len() {
        return Err(Fault::Malformed("keys of different lengths"));
    }
    let mut children: Box<[Node; 16]> = Box::default();
    children[own[shared] as usize] = rest_of_own(own[shared + 1..].to_vec());
    children[path[shared] as usize] = Node::Leaf(path[shared + 1..].to_vec(), value);
    let branch = Node::Branch(children);
    Ok(if shared == 0 { branch } else { Node::Extension(path[..shared].to_vec(), Box::new(branch)) })
}

fn remove(node: Node, path: &[u8], nodes: &Nodes) -> Result<Node, Fault> {
    match open(node, nodes)? {
        Node::Leaf(own, held) => Ok(if own == path { Node::Empty } else { Node::Leaf(own, held) }),
        Node::Extension(own, child) => match path.strip_prefix(&own[..]) {
            None => Ok(Node::Extension(own, child)),
            Some(rest) => join(own, remove(*child, rest, nodes)?, nodes),
        },
        Node::Branch(mut children) => {
            let (first, rest) = path.split_first().ok_or(Fault::Malformed("a key ends in a branch"))?;
            let child = &mut children[*first as usize];
            *child = remove(std::mem::take(child), rest, nodes)?;
            let mut present = (0..16).filter(|index| !matches!(children[*index], Node::Empty));
            match (present.next(), present.next()) {
                (None, _) => Ok(Node::Empty),
                (Some(only), None) => {
                    let child = std::mem::take(&mut children[only]);
                    join(vec![only as u8], child, nodes)
                }
                _ => Ok(Node::Branch(children)),
            }
        }
        empty => Ok(empty),
    }
}

/// Put a path in front of a node; paths in a row become one.
fn join(mut path: Vec<u8>, node: Node, nodes: &Nodes) -> Result<Node, Fault> {
    let unopened = match &node {
        Node::Hash(hash) => Some(*hash),
        _ => None,
    };
    Ok(match open(node, nodes)? {
        Node::Leaf(own, value) => {
            path.extend(own);
            Node::Leaf(path, value)
        }
        Node::Extension(own, child) => {
            path.extend(own);
            Node::Extension(path, child)
        }
        Node::Branch(children) => {
            let child = unopened.map_or(Node::Branch(children), Node::Hash);
            Node::Extension(path, Box::new(child))
        }
        empty => empty,
    })
}

fn encode(node: &Node) -> Vec<u8> {
    let mut fields = Vec::new();
    match node {
        Node::Leaf(path, value) => {
            put_bytes(&mut fields, &compact(path, true));
            put_bytes(&mut fields, value);
        }
        Node::Extension(path, child) => {
            put_bytes(&mut fields, &compact(path, false));
            put_reference(&mut fields, child);
        }
        Node::Branch(children) => {
            children.iter().for_each(|child| put_reference(&mut fields, child));
            fields.push(0x80);
        }
        Node::Empty | Node::Hash(_) => unreachable!("references are written by put_reference"),
    }
    list(&fields)
}

fn put_reference(fields: &mut Vec<u8>, node: &Node) {
    match node {
        Node::Empty => fields.push(0x80),
        Node::Hash(hash) => put_bytes(fields, hash.as_slice()),
        node => {
            let encoded = encode(node);
            if encoded.len() < 32 { fields.extend(encoded) } else { put_bytes(fields, keccak256(encoded).as_slice()) }
        }
    }
}

/// The hex-prefix encoding of a path (Yellow Paper, appendix C).
pub fn compact(path: &[u8], ends: bool) -> Vec<u8> {
    let flag = if ends { 2 } else { 0 };
    let (head, rest) = match path.len() % 2 {
        1 => ((flag + 1) << 4 | path[0], &path[1..]),
        _ => (flag << 4, path),
    };
    std::iter::once(head).chain(rest.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1])).collect()
}

/// One item of a list: what it holds, and whether that is a list.
pub struct Item<'a> {
    whole: &'a [u8],
    pub content: &'a [u8],
    pub is_list: bool,
}

pub fn item(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), Fault> {
    const SHORT: Fault = Fault::Malformed("a trie node ends too early");
    let first = *bytes.first().ok_or(SHORT)?;
    let (start, length, is_list) = match first {
        0..0x80 => (0, 1, false),
        0x80..0xB8 => (1, (first - 0x80) as usize, false),
        0xC0..0xF8 => (1, (first - 0xC0) as usize, true),
        _ => {
            let is_list = first >= 0xF8;
            let size = (first - if is_list { 0xF7 } else { 0xB7 }) as usize;
            let digits = bytes.get(1..1 + size).ok_or(SHORT)?;
            if size > 4 {
                return Err(Fault::Malformed("a trie node is too long"));
            }
            let length = digits.iter().fold(0usize, |sum, digit| sum << 8 | *digit as usize);
            (1 + size, length, is_list)
        }
    };
    let content = bytes.get(start..start + length).ok_or(SHORT)?;
    let (whole, rest) = bytes.split_at(start + length);
    Ok((Item { whole, content, is_list }, rest))
}

pub fn items(content: &[u8]) -> Result<Vec<Item<'_>>, Fault> {
    let (mut found, mut rest) = (Vec::new(), content);
    while !rest.is_empty() {
        let (next, after) = item(rest)?;
        if found.len() == 17 {
            return Err(Fault::Malformed("a trie node has more than 17 items"));
        }
        found.push(next);
        rest = after;
    }
    Ok(found)
}

fn decode(encoded: &[u8]) -> Result<Node, Fault> {
    let (node, rest) = item(encoded)?;
    if !node.is_list || !rest.is_empty() {
        return Err(Fault::Malformed("a trie node is one list"));
    }
    let parts = items(node.content)?;
    match &parts[..] {
        [packed, value] => {
            let packed = nibbles_of(packed.content);
            let flag = *packed.first().ok_or(Fault::Malformed("a trie node without a path"))?;
            let path = packed.get(if flag & 1 == 1 { 1 } else { 2 }..).unwrap_or_default().to_vec();
            match flag {
                0 | 1 => Ok(Node::Extension(path, Box::new(child(value)?))),
                2 | 3 => Ok(Node::Leaf(path, value.content.to_vec())),
                _ => Err(Fault::Malformed("a trie node's path flag is above 3")),
            }
        }
        [below @ .., value] if below.len() == 16 => {
            if !value.content.is_empty() {
                return Err(Fault::Malformed("a branch holds a value"));
            }
            let mut children: Box<[Node; 16]> = Box::default();
            for (place, reference) in children.iter_mut().zip(below) {
                *place = child(reference)?;
            }
            Ok(Node::Branch(children))
        }
        _ => Err(Fault::Malformed("a trie node has 17 or 2 items")),
    }
}

fn child(reference: &Item<'_>) -> Result<Node, Fault> {
    match (reference.is_list, reference.content.len()) {
        (true, _) => decode(reference.whole),
        (false, 0) => Ok(Node::Empty),
        (false, 32) => Ok(Node::Hash(B256::from_slice(reference.content))),
        _ => Err(Fault::Malformed("a reference is a hash, a node or nothing")),
    }
}
