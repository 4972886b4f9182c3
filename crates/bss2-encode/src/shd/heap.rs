//! Rows of variable length: references into heaps elsewhere in the file.
//!
//! The library copies what a reference points to, and keeps every heap that it has
//! met. A damaged file may refer to one row, or to heaps that overlap, a million
//! times, so this is looked at before: no row twice, and all heaps together no
//! larger than the file.
//!
//! # Source
//! HDF5 File Format Specification 3.0 (The HDF Group), III.E and IV.A.2.d: global
//! heaps; variable-length types.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Length, address of the heap and index in it.
const REFERENCE: usize = 4 + 8 + 4;
/// Of a row without values.
const NOWHERE: [u64; 2] = [0, u64::MAX];
/// Where in a heap its size is.
const SIZE_AT: u64 = 8;

/// Number of values of every row, or what is wrong. Addresses count from `base`.
pub(super) fn lengths(path: &Path, base: u64, references: &[u8]) -> Result<Vec<usize>, String> {
    let (references, rest) = references.as_chunks::<REFERENCE>();
    if !rest.is_empty() {
        return Err("its addresses are not those of a file with 8 bytes each".into());
    }
    let (mut rows, mut heaps) = (BTreeSet::new(), BTreeSet::new());
    let mut lengths = Vec::with_capacity(references.len());
    for (row, reference) in references.iter().enumerate() {
        let word = |at: usize| u32::from_le_bytes(reference[at..at + 4].try_into().expect("four"));
        let (length, index) = (word(0), word(12));
        let heap = u64::from(word(8)) << 32 | u64::from(word(4));
        if NOWHERE.contains(&heap) {
            lengths.push(0);
            continue;
        }
        if !rows.insert((heap, index)) {
            return Err(format!("row {row} has the bytes of another"));
        }
        heaps.insert(heap);
        lengths.push(length as usize);
    }
    let fits = heaps_fit(path, base, &heaps).map_err(|error| format!("its heaps: {error}"))?;
    if fits {
        Ok(lengths)
    } else {
        Err("its heaps are larger than the file".into())
    }
}

/// Whether heaps can be there without overlap.
fn heaps_fit(path: &Path, base: u64, heaps: &BTreeSet<u64>) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut total = 0_u64;
    for heap in heaps {
        let at = base.saturating_add(*heap).saturating_add(SIZE_AT);
        file.seek(SeekFrom::Start(at.min(length)))?;
        let mut size = [0; 8];
        file.read_exact(&mut size)?;
        total = total.saturating_add(u64::from_le_bytes(size));
    }
    Ok(total <= length)
}
