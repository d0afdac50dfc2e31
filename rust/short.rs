//! Copies and comparisons of a few bytes, without the call that those of unknown size cost.

/// Copies `length` bytes.
///
/// # Safety
/// `from` has `length` bytes to read and `to` has room for them, elsewhere.
#[inline(always)]
pub unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the two halves overlap within the length.
    unsafe {
        match length {
            8..=16 => {
                let (head, tail) = (from.cast::<u64>(), from.add(length - 8).cast::<u64>());
                to.cast::<u64>().write_unaligned(head.read_unaligned());
                to.add(length - 8).cast::<u64>().write_unaligned(tail.read_unaligned());
            }
            4..8 => {
                let (head, tail) = (from.cast::<u32>(), from.add(length - 4).cast::<u32>());
                to.cast::<u32>().write_unaligned(head.read_unaligned());
                to.add(length - 4).cast::<u32>().write_unaligned(tail.read_unaligned());
            }
            0..4 => {
                for at in 0..length {
                    *to.add(at) = *from.add(at);
                }
            }
            _ => std::ptr::copy_nonoverlapping(from, to, length),
        }
    }
}

/// Copies `count` words.
///
/// # Safety
/// `from` has `count` words to read and `to` has room for them, elsewhere.
#[inline(always)]
pub unsafe fn copy_words(from: *const usize, to: *mut usize, count: usize) {
    // SAFETY: the two halves overlap within the count.
    unsafe {
        match count {
            4..=8 => {
                let (head, tail) = (from.cast::<[usize; 4]>(), from.add(count - 4).cast::<[usize; 4]>());
                let (head, tail) = (head.read_unaligned(), tail.read_unaligned());
                to.cast::<[usize; 4]>().write_unaligned(head);
                to.add(count - 4).cast::<[usize; 4]>().write_unaligned(tail);
            }
            0..4 => {
                for at in 0..count {
                    *to.add(at) = *from.add(at);
                }
            }
            _ => std::ptr::copy_nonoverlapping(from, to, count),
        }
    }
}

/// Whether two slices hold the same bytes.
#[inline(always)]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let length = one.len();
    if length != other.len() {
        return false;
    }
    let (one_start, other_start) = (one.as_ptr(), other.as_ptr());
    // SAFETY: the two halves overlap within the length that both have.
    unsafe {
        match length {
            8..=16 => {
                let word = |start: *const u8, at: usize| start.add(at).cast::<u64>().read_unaligned();
                let differ = |at| word(one_start, at) ^ word(other_start, at);
                differ(0) | differ(length - 8) == 0
            }
            4..8 => {
                let word = |start: *const u8, at: usize| start.add(at).cast::<u32>().read_unaligned();
                let differ = |at| word(one_start, at) ^ word(other_start, at);
                differ(0) | differ(length - 4) == 0
            }
            0..4 => (0..length).all(|at| *one_start.add(at) == *other_start.add(at)),
            _ => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_whole_and_nothing_beyond_it() {
        let source: Vec<u8> = (1..=40).collect();
        for length in 0..source.len() {
            let mut target = vec![0; source.len()];
            // SAFETY: both have more than `length` bytes.
            unsafe { copy(source.as_ptr(), target.as_mut_ptr(), length) };
            assert_eq!(target[..length], source[..length]);
            assert!(target[length..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn every_count_of_words_is_copied_whole_and_nothing_beyond_it() {
        let source: Vec<usize> = (1..=20).collect();
        for count in 0..source.len() {
            let mut target = vec![0; source.len()];
            // SAFETY: both have more than `count` words.
            unsafe { copy_words(source.as_ptr(), target.as_mut_ptr(), count) };
            assert_eq!(target[..count], source[..count]);
            assert!(target[count..].iter().all(|&word| word == 0));
        }
    }

    #[test]
    fn one_byte_makes_the_difference_wherever_it_stands() {
        for length in 0..40usize {
            let one: Vec<u8> = (0..length as u8).collect();
            assert!(same(&one, &one.clone()));
            assert!(!same(&one, &[&one[..], &[0]].concat()));
            for at in 0..length {
                let mut other = one.clone();
                other[at] ^= 0x80;
                assert!(!same(&one, &other), "length {length}, byte {at}");
            }
        }
    }
}
