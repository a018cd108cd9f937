/** The names of the places in a path. */
export type PlacesOf<Path extends string> = Path extends `${string}{${infer Place}}${infer Rest}`
  ? Place | PlacesOf<Rest>
  : never;

/** The path itself where the input has a field for each of its places; else a type that says which one it has not. */
export type FillablePath<Path extends string, Input> = [Exclude<PlacesOf<Path>, keyof Input>] extends [never]
  ? Path
  : `The input has no field ${Exclude<PlacesOf<Path>, keyof Input>}`;
