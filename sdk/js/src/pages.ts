import type { KvStore, ListOptions, Page, Row } from "./types.js";

/** All rows of a listing, page by page. */
export async function* pages<T>(store: Pick<KvStore, "list">, options: Omit<ListOptions, "cursor">): AsyncIterableIterator<Row<T>> {
  let cursor: string | null = null;
  do {
    const page: Page<T> = await store.list<T>({ ...options, cursor });
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== null);
}
