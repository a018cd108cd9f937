/**
 * The part of the Standard Schema interface (version 1) that this library calls: any validation library that
 * implements it can describe a response.
 */
export interface ResponseSchema<Output> {
  /** The interface of Standard Schema. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The validation library's name. */
    readonly vendor: string;
    /** Judges a value. What the library returns to its caller is the value itself, never the schema's copy of it. */
    readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult>;
    /** Types for inference; absent at run time. */
    readonly types?: ResponseSchemaTypes<Output> | undefined;
  };
}

/** What a schema is for, as types. */
export interface ResponseSchemaTypes<Output> {
  /** What the schema takes: any JSON. */
  readonly input: unknown;
  /** What a valid response is. */
  readonly output: Output;
}

/** What a schema says of a value. */
export interface SchemaResult {
  /** What is wrong; absent when the value is valid. */
  readonly issues?: readonly SchemaIssue[] | undefined;
}

/** One thing that a schema finds wrong with a value. */
export interface SchemaIssue {
  /** What was expected. */
  readonly message: string;
  /** Where, from the outside in. */
  readonly path?: ReadonlyArray<PropertyKey | SchemaPathSegment> | undefined;
}

/** One step of the path to an issue, for validation libraries that say more of it than its key. */
export interface SchemaPathSegment {
  /** The key of the property, or the index of the element. */
  readonly key: PropertyKey;
}
