//! Arrays on their way into an archive.

use std::io::{Cursor, Result};

use npyz::npz::NpzWriter;
use npyz::{AutoSerialize, WriterBuilder};

/// An archive that is written in memory.
pub struct Arrays<'a>(NpzWriter<&'a mut Cursor<Vec<u8>>>);

impl std::fmt::Debug for Arrays<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arrays")
    }
}

impl Arrays<'_> {
    /// Adds an array in C order.
    ///
    /// # Errors
    /// When there are fewer or more values than the shape has room for.
    pub fn add<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let mut array = self
            .0
            .array(name, Default::default())?
            .default_dtype()
            .shape(&shape)
            .begin_nd()?;
        array.extend(values)?;
        array.finish()
    }
}

/// The bytes of an archive that `fill` adds arrays to.
///
/// # Errors
/// Those of `fill`.
pub fn write(fill: impl FnOnce(&mut Arrays<'_>) -> Result<()>) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    fill(&mut Arrays(NpzWriter::new(&mut bytes)))?;
    Ok(bytes.into_inner())
}
