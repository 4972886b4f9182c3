//! Arrays on their way into an archive.

use std::io::{Cursor, Result};

use npyz::npz::NpzWriter;
use npyz::zip::write::FileOptions;
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
        let bytes = shape.iter().product::<u64>() * size_of::<T>() as u64;
        let mut array = self
            .0
            .array(name, options(bytes))?
            .default_dtype()
            .shape(&shape)
            .begin_nd()?;
        array.extend(values)?;
        array.finish()
    }
}

/// How an array of so many bytes is stored. Few readers know entries without a limit, 4 GiB else,
/// so they are for arrays that come near it.
fn options(bytes: u64) -> FileOptions {
    FileOptions::default().large_file(bytes >= 1 << 31)
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use npyz::zip::ZipWriter;

    use super::*;

    #[test]
    fn arrays_beyond_4_gib_have_sizes_of_64_bit() {
        for (bytes, extra) in [(0, 0), (1 << 30, 0), (1 << 32, 20), (1 << 40, 20)] {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file("traces.npy", options(bytes)).unwrap();
            zip.write_all(b"a").unwrap();
            let archive = zip.finish().unwrap().into_inner();
            // The length of what a local header has beside its name.
            assert_eq!(archive[28..30], [extra, 0], "{bytes}");
        }
    }
}
