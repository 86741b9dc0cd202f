//! The commands.

use redis::Value;

use super::keys::{Kept, Keys};

type Answer = Result<Value, String>;

/// Carries out what is no script.
pub(super) fn carry_out(keys: &mut Keys, words: &[Vec<u8>]) -> Answer {
    let arg = |n: usize| words.get(n).map(|word| &word[..]).unwrap_or_default();
    let rest = |n: usize| words.get(n..).unwrap_or_default();
    let answer = match arg(0) {
        b"PING" => Value::SimpleString("PONG".into()),
        b"TIME" => {
            let (seconds, micros) = (keys.now / 1_000_000, keys.now % 1_000_000);
            Value::Array(vec![bulk(&seconds.to_string()), bulk(&micros.to_string())])
        }
        b"GET" => keys
            .text(arg(1))
            .map_or(Value::Nil, |text| Value::BulkString(text.clone())),
        b"SET" => return set(keys, arg(1), arg(2), rest(3)),
        b"EXISTS" => int(keys.get(arg(1)).is_some()),
        b"DEL" => count(rest(1).iter().filter(|key| keys.remove(key))),
        b"PEXPIRE" => {
            let ends = keys.millis() + number(arg(2)) as u64;
            int(keys.end_at(arg(1), ends))
        }
        b"EXPIREAT" => int(keys.end_at(arg(1), number(arg(2)) as u64 * 1000)),
        b"INCRBYFLOAT" => {
            let sum = keys.text(arg(1)).map_or(0.0, |text| number(text)) + number(arg(2));
            let sum = sum.to_string().into_bytes();
            keys.set(arg(1), Kept::Text(sum.clone()));
            Value::BulkString(sum)
        }
        b"HGET" => keys
            .field(arg(1), arg(2))
            .map_or(Value::Nil, |one| Value::BulkString(one.clone())),
        b"HEXISTS" => int(keys.field(arg(1), arg(2)).is_some()),
        b"HMGET" => {
            let found = rest(2)
                .iter()
                .map(|field| keys.field(arg(1), field).cloned());
            Value::Array(
                found
                    .map(|one| one.map_or(Value::Nil, Value::BulkString))
                    .collect(),
            )
        }
        b"HSET" => {
            let hash = keys.hash(arg(1));
            count(
                rest(2)
                    .chunks_exact(2)
                    .filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none()),
            )
        }
        b"HDEL" => {
            let hash = keys.hash(arg(1));
            count(rest(2).iter().filter(|field| hash.remove(*field).is_some()))
        }
        b"ZADD" => {
            let sorted = keys.sorted(arg(1));
            count(
                rest(2)
                    .chunks_exact(2)
                    .filter(|pair| sorted.insert(pair[1].clone(), number(&pair[0])).is_none()),
            )
        }
        b"ZREM" => {
            let sorted = keys.sorted(arg(1));
            count(
                rest(2)
                    .iter()
                    .filter(|member| sorted.remove(*member).is_some()),
            )
        }
        b"ZCARD" => Value::Int(keys.sorted(arg(1)).len() as i64),
        b"ZSCORE" => keys
            .sorted(arg(1))
            .get(arg(2))
            .map_or(Value::Nil, |score| bulk(&score.to_string())),
        b"ZRANGEBYSCORE" => {
            let is_in = range(arg(2), arg(3));
            let sorted = keys
                .sorted(arg(1))
                .iter()
                .filter(|(_, score)| is_in(**score));
            let mut found: Vec<_> = sorted
                .map(|(member, score)| (*score, member.clone()))
                .collect();
            found.sort_by(|one, other| one.0.total_cmp(&other.0));
            Value::Array(
                found
                    .into_iter()
                    .map(|(_, member)| Value::BulkString(member))
                    .collect(),
            )
        }
        b"ZREMRANGEBYSCORE" => {
            let is_in = range(arg(2), arg(3));
            let sorted = keys.sorted(arg(1));
            let before = sorted.len();
            sorted.retain(|_, score| !is_in(*score));
            Value::Int((before - sorted.len()) as i64)
        }
        other => {
            return Err(format!(
                "the stand-in does not know {}",
                String::from_utf8_lossy(other)
            ));
        }
    };
    keys.tidy(arg(1));
    Ok(answer)
}

fn set(keys: &mut Keys, key: &[u8], text: &[u8], options: &[Vec<u8>]) -> Answer {
    keys.set(key, Kept::Text(text.to_vec()));
    match options {
        [] => {}
        [unit, life] => {
            let unit = match &unit[..] {
                b"PX" => 1,
                b"EX" => 1000,
                _ => return Err("SET with a word that is not known".to_owned()),
            };
            let ends = keys.millis() + unit * number(life) as u64;
            keys.end_at(key, ends);
        }
        _ => return Err("SET with words that are not known".to_owned()),
    }
    Ok(Value::Okay)
}

/// `(` in front of a bound leaves it out.
fn range(least: &[u8], most: &[u8]) -> impl Fn(f64) -> bool {
    let bound = |word: &[u8]| match word.strip_prefix(b"(") {
        Some(word) => (number(word), true),
        None => (number(word), false),
    };
    let ((least, without_least), (most, without_most)) = (bound(least), bound(most));
    move |score| {
        (score > least || !without_least && score == least)
            && (score < most || !without_most && score == most)
    }
}

fn number(word: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(word);
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn int(is: bool) -> Value {
    Value::Int(is.into())
}

fn count(these: impl Iterator) -> Value {
    Value::Int(these.count() as i64)
}
