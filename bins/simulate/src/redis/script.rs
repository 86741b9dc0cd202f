//! Scripts, by Lua 5.1, which is what Redis has.

use std::sync::{Arc, Mutex, PoisonError};

use mlua::{Function, Lua, MultiValue, Table, Value as LuaValue};
use redis::Value;

use super::keys::Keys;
use super::words;

/// The interpreter, and the scripts that it has read.
pub(super) struct Scripts {
    lua: Lua,
    read: Vec<(Vec<u8>, Function)>,
}

impl Scripts {
    pub(super) fn new(keys: &Arc<Mutex<Keys>>) -> Self {
        let lua = Lua::new();
        let keys = Arc::clone(keys);
        let call = move |lua: &Lua, words: MultiValue| {
            let words: Result<Vec<_>, _> = words.iter().map(word).collect();
            let words = words.map_err(mlua::Error::runtime)?;
            let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = words::carry_out(&mut keys, &words).map_err(mlua::Error::runtime)?;
            to_lua(lua, &answer)
        };
        let made = lua.create_function(call).and_then(|call| {
            let redis = lua.create_table()?;
            redis.set("call", call)?;
            lua.globals().set("redis", redis)
        });
        made.expect("an interpreter takes a function");
        Self {
            lua,
            read: Vec::new(),
        }
    }

    /// Runs a script, as EVAL does.
    pub(super) fn run(
        &mut self,
        text: &[u8],
        n_keys: &[u8],
        words: &[&[u8]],
    ) -> Result<Value, String> {
        self.evaluate(text, n_keys, words)
            .map_err(|error| error.to_string())
    }

    fn evaluate(&mut self, text: &[u8], n_keys: &[u8], words: &[&[u8]]) -> mlua::Result<Value> {
        let n_keys: usize = String::from_utf8_lossy(n_keys)
            .parse()
            .map_err(mlua::Error::external)?;
        let (keys, arguments) = words.split_at(n_keys);
        for (name, words) in [("KEYS", keys), ("ARGV", arguments)] {
            let words = words.iter().map(|word| self.lua.create_string(word));
            let table = self
                .lua
                .create_sequence_from(words.collect::<mlua::Result<Vec<_>>>()?)?;
            self.lua.globals().set(name, table)?;
        }
        let function = match self.read.iter().find(|(read, _)| read == text) {
            Some((_, function)) => function.clone(),
            None => {
                let function = self.lua.load(text).into_function()?;
                self.read.push((text.to_vec(), function.clone()));
                function
            }
        };
        of_lua(&function.call(())?)
    }
}

/// A word of a command. Redis writes numbers with seventeen digits.
fn word(value: &LuaValue) -> Result<Vec<u8>, String> {
    match value {
        LuaValue::String(text) => Ok(text.as_bytes().to_vec()),
        LuaValue::Integer(number) => Ok(number.to_string().into_bytes()),
        LuaValue::Number(number) => Ok(number.to_string().into_bytes()),
        _ => Err("a command is made of strings and numbers".to_owned()),
    }
}

/// Documentation of Redis, "Redis Lua API reference", "Data type conversion".
fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Nil => LuaValue::Boolean(false),
        Value::Int(number) => LuaValue::Number(*number as f64),
        Value::BulkString(text) => LuaValue::String(lua.create_string(text)?),
        Value::Okay => status(lua, "OK")?,
        Value::SimpleString(text) => status(lua, text)?,
        Value::Array(values) => {
            let values = values.iter().map(|value| to_lua(lua, value));
            LuaValue::Table(lua.create_sequence_from(values.collect::<mlua::Result<Vec<_>>>()?)?)
        }
        other => return Err(mlua::Error::runtime(format!("{other:?}"))),
    })
}

fn status(lua: &Lua, text: &str) -> mlua::Result<LuaValue> {
    let table: Table = lua.create_table()?;
    table.set("ok", text)?;
    Ok(LuaValue::Table(table))
}

/// The same the other way: a number loses its fraction, and a list ends at the first nil.
fn of_lua(value: &LuaValue) -> mlua::Result<Value> {
    Ok(match value {
        LuaValue::Nil | LuaValue::Boolean(false) => Value::Nil,
        LuaValue::Boolean(true) => Value::Int(1),
        LuaValue::Integer(number) => Value::Int(*number),
        LuaValue::Number(number) => Value::Int(*number as i64),
        LuaValue::String(text) => Value::BulkString(text.as_bytes().to_vec()),
        LuaValue::Table(table) => {
            let values = table.sequence_values::<LuaValue>();
            let values = values.map(|value| of_lua(&value?));
            Value::Array(values.collect::<mlua::Result<Vec<_>>>()?)
        }
        other => return Err(mlua::Error::runtime(format!("{other:?}"))),
    })
}
