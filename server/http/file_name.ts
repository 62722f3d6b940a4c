/** Sanitises the names of uploaded files as Django. */
import { decodeHTML } from 'entities';

// What Python's str.isprintable() refuses: the categories Other (control, format such as right-to-left overrides, half
// surrogate pairs, unassigned) and Separator, but for the space.
const NOT_PRINTABLE = /(?! )[\p{C}\p{Z}]/gu;

/**
 * The last part of a path without unprintable characters, or null if no valid name remains
 * (MultiPartParser.sanitize_file_name). The name still comes from the visitor: `C:x` and `.htaccess` are accepted.
 */
export function sanitize_file_name(file_name: string): string | null {
  const text = decodeHTML(file_name);
  const start = Math.max(text.lastIndexOf('/'), text.lastIndexOf('\\')) + 1;
  const name = text.slice(start).replace(NOT_PRINTABLE, '');
  return name === '' || name === '.' || name === '..' ? null : name;
}

const LONGEST = 255;

/** At most 255 characters (code points), of which the extension is kept (the name of django.core.files.UploadedFile). */
export function cutFileName(name: string): string {
  const characters = [...name];
  if (characters.length <= LONGEST) return name;
  const extension = [...splitext(name)[1]].slice(0, LONGEST);
  const stem = [...splitext(name)[0]].slice(0, LONGEST - extension.length);
  return stem.join('') + extension.join('');
}

/** Python's os.path.splitext on a name without folders: dots at the start begin no extension. */
export function splitext(name: string): readonly [stem: string, extension: string] {
  const dot = name.lastIndexOf('.');
  let start = 0;
  while (name[start] === '.') start += 1;
  return dot > start ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
}
