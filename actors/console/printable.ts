/**
 * What comes from files, as a terminal may show it. A name or a text must not drive the terminal:
 * control characters, of which escape sequences begin with one, are shown as dots.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '·');
}
