//! Python's pickle format, as far as `torch.save` writes it: a program for a small stack machine.
//!
//! Nothing is imported and nothing is called: a class is its name, an object the class and what it would be called with.
//! Values refer to each other by number, so that a value that is used a thousand times is there once, and a tree of any
//! depth comes and goes without recursion.
//!
//! Source: `Lib/pickletools.py` of CPython, protocols 2 to 5.

use std::collections::HashMap;

/// The number of a value.
pub(super) type Id = u32;

/// One value. Those that say nothing about tensors (floats, bytes) are `Opaque`.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Opaque,
    Integer(i64),
    Text(&'a str),
    Class {
        module: &'a str,
        name: &'a str,
    },
    /// A tuple, a list or a set.
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// What calling something would give.
    Call {
        callable: Id,
        arguments: Id,
    },
    /// What lies outside the pickle, by its description.
    Persistent(Id),
}

/// All values of a pickle.
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    length: usize,
}

impl<'a> Pickle<'a> {
    /// Runs `bytes` to the end of the program, whatever comes after it. More than `limit` values are an error.
    pub(super) fn read(bytes: &'a [u8], limit: usize) -> Result<Self, String> {
        let mut machine = Machine {
            bytes,
            position: 0,
            limit,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run().map_err(|reason| format!("pickle byte {}: {reason}", machine.position))?;
        Ok(Self { length: machine.position, values: machine.values, root })
    }

    /// The value that the pickle is of.
    pub(super) fn root(&self) -> &Value<'a> {
        self.get(self.root)
    }

    /// Bytes from its start to its end.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Descriptions of what lies outside the pickle.
    pub(super) fn persistents(&self) -> impl Iterator<Item = Id> {
        self.values.iter().filter_map(|value| match *value {
            Value::Persistent(description) => Some(description),
            _ => None,
        })
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }
}

type Step<T = ()> = Result<T, String>;

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    limit: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Step<Id> {
        loop {
            match self.number::<1>()? as u8 {
                b'.' => return self.pop(),
                opcode => self.step(opcode)?,
            }
            if self.stack.len().max(self.marks.len()).max(self.memo.len()) > self.limit {
                return Err("more values than such a file has".into());
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            // The protocol's number, and lengths of frames, which say nothing more.
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'N' | 0x88 | 0x89 => self.push(Value::Opaque),
            b'K' => self.integer::<1>(),
            b'M' => self.integer::<2>(),
            b'J' => {
                let value = self.number::<4>()? as u32 as i32;
                self.push(Value::Integer(value.into()))
            }
            b'G' => self.opaque(8),
            0x8a => self.long::<1>(),
            0x8b => self.long::<4>(),
            0x8c | b'U' => self.text::<1>(),
            b'X' | b'T' => self.text::<4>(),
            0x8d => self.text::<8>(),
            b'C' => self.skipped::<1>(),
            b'B' => self.skipped::<4>(),
            0x8e | 0x96 => self.skipped::<8>(),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Class { module, name })
            }
            0x93 => self.class(),
            b'Q' => {
                let description = self.pop()?;
                self.push(Value::Persistent(description))
            }
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                self.call(arguments)
            }
            0x92 => {
                let (_keywords, arguments) = (self.pop()?, self.pop()?);
                self.call(arguments)
            }
            // The state of an object: attributes, not items.
            b'b' => self.pop().map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b')' | b']' | 0x8f => self.push(Value::Sequence(Vec::new())),
            b't' | b'l' | 0x91 => {
                let items = self.marked()?;
                self.push(Value::Sequence(items))
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Value::Sequence(items))
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.append(items)
            }
            b'e' | 0x90 => {
                let items = self.marked()?;
                self.append(items)
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let items = self.marked()?;
                self.push(Value::Dict(pairs(&items)))
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(&items)
            }
            b'u' => {
                let items = self.marked()?;
                self.set(&items)
            }
            b'q' => self.put::<1>(),
            b'r' => self.put::<4>(),
            0x94 => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u32, top);
                Ok(())
            }
            b'h' => self.recall::<1>(),
            b'j' => self.recall::<4>(),
            b'0' => self.pop().map(drop),
            b'1' => self.marked().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            _ => Err(format!("opcode {opcode:#04x} is not one that torch.save writes")),
        }
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let bytes = self.bytes[self.position..].get(..count).ok_or("the pickle ends too early")?;
        self.position += count;
        Ok(bytes)
    }

    /// A little-endian number of `N` bytes.
    fn number<const N: usize>(&mut self) -> Step<u64> {
        Ok(self.take(N)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A length in `N` bytes, and as many bytes.
    fn counted<const N: usize>(&mut self) -> Step<&'a [u8]> {
        let count = self.number::<N>()?;
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("a name without an end")?;
        let line = &self.take(length + 1)?[..length];
        std::str::from_utf8(line).map_err(|_| "a name that is not UTF-8".into())
    }

    fn push(&mut self, value: Value<'a>) -> Step {
        if self.values.len() >= self.limit {
            return Err("more values than such a file has".into());
        }
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
        Ok(())
    }

    fn integer<const N: usize>(&mut self) -> Step {
        let value = self.number::<N>()?;
        self.push(Value::Integer(value as i64))
    }

    /// An integer of any length; beyond 64 bits it is no size of anything.
    fn long<const N: usize>(&mut self) -> Step {
        let bytes = self.counted::<N>()?;
        if bytes.len() > 8 {
            return self.push(Value::Opaque);
        }
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut value = [fill; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Integer(i64::from_le_bytes(value)))
    }

    /// Text; of Python 2, where bytes have the same opcode, it may be none.
    fn text<const N: usize>(&mut self) -> Step {
        let bytes = self.counted::<N>()?;
        self.push(std::str::from_utf8(bytes).map_or(Value::Opaque, Value::Text))
    }

    fn opaque(&mut self, count: usize) -> Step {
        self.take(count)?;
        self.push(Value::Opaque)
    }

    fn skipped<const N: usize>(&mut self) -> Step {
        self.counted::<N>()?;
        self.push(Value::Opaque)
    }

    fn class(&mut self) -> Step {
        let items = self.pop_many(2)?;
        let text = |id: Id| match self.values[id as usize] {
            Value::Text(text) => Ok(text),
            _ => Err("a class whose name is not text"),
        };
        let (module, name) = (text(items[0])?, text(items[1])?);
        self.push(Value::Class { module, name })
    }

    /// What calling the top of the stack gives. Of all calls, those that make empty dictionaries are the only ones to
    /// have a result: the items follow.
    fn call(&mut self, arguments: Id) -> Step {
        let callable = self.pop()?;
        let value = match self.values[callable as usize] {
            Value::Class { module: "collections", name: "OrderedDict" | "defaultdict" } => {
                Value::Dict(Vec::new())
            }
            _ => Value::Call { callable, arguments },
        };
        self.push(value)
    }

    fn top(&self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(|| "nothing is on the stack".into())
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|&start| start >= floor);
        Ok(self.stack.split_off(start.ok_or("too little is on the stack")?))
    }

    /// What is above the last mark, which goes.
    fn marked(&mut self) -> Step<Vec<Id>> {
        let start = self.marks.pop().ok_or("no mark is on the stack")?;
        Ok(self.stack.split_off(start))
    }

    /// Items of a list. What an object of a class makes of its items only the class knows.
    fn append(&mut self, items: Vec<Id>) -> Step {
        let list = self.top()?;
        if let Value::Sequence(known) = &mut self.values[list as usize] {
            known.extend(items);
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Step {
        let dict = self.top()?;
        if let Value::Dict(known) = &mut self.values[dict as usize] {
            known.extend(pairs(items));
        }
        Ok(())
    }

    fn put<const N: usize>(&mut self) -> Step {
        let (number, top) = (self.number::<N>()?, self.top()?);
        self.memo.insert(number as u32, top);
        Ok(())
    }

    fn recall<const N: usize>(&mut self) -> Step {
        let number = self.number::<N>()?;
        let value = self.memo.get(&(number as u32)).ok_or("a value that was never stored")?;
        self.stack.push(*value);
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value)).collect()
}
