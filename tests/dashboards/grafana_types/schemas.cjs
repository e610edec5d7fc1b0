// Makes JSON schemas of Grafana's types: node schemas.cjs FOLDER writes FOLDER/<version>.json, type → schema.
const fs = require('node:fs');
const path = require('node:path');
const ts = require('typescript');
const { createFormatter, createParser, DEFAULT_CONFIG, SchemaGenerator } = require('ts-json-schema-generator');

// Kind of panel as a dashboard names it, and the types that Grafana has for it.
const PANELS = {
  'bargauge': ['Options'],
  'heatmap': ['Options', 'FieldConfig'],
  'stat': ['Options'],
  'state-timeline': ['Options', 'FieldConfig'],
  'table': ['Options', 'FieldConfig'],
  'timeseries': ['Options', 'FieldConfig'],
};

function only(folder) {
  const found = fs.readdirSync(folder).filter((name) => name.endsWith('types.gen.d.ts'));
  if (found.length !== 1) throw new Error(`${folder}: one file of types is wanted, there are ${found.length}`);
  return path.join(folder, found[0]);
}

function schemas(grafana) {
  const own = JSON.parse(fs.readFileSync(path.join(grafana, 'package.json'), 'utf8'));
  // Grafana 11 has its types beside its code.
  const types = ['types', 'esm'].map((name) => path.join(grafana, 'dist', name)).find((folder) => fs.existsSync(folder));
  const options = {
    lib: ['lib.es2020.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
    // Types of panels import the package by its name, which lies here under another one.
    paths: { '@grafana/schema': [path.join(types, 'index.d.ts')] },
    skipLibCheck: true,
    strict: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = new Map();
  const parse = host.getSourceFile.bind(host);
  host.getSourceFile = (file, ...rest) => {
    if (!read.has(file)) read.set(file, parse(file, ...rest));
    return read.get(file);
  };
  const made = {};
  const add = (file, names, prefix) => {
    const config = { ...DEFAULT_CONFIG, path: file, expose: 'all', topRef: false, jsDoc: 'none' };
    const program = ts.createProgram([file], options, host);
    const generator = new SchemaGenerator(program, createParser(program, config), createFormatter(config), config);
    for (const name of names) made[prefix + name] = generator.createSchema(name);
  };
  const raw = path.join(types, 'raw');
  add(only(path.join(raw, 'dashboard', 'x')), ['Dashboard', 'Panel', 'RowPanel'], '');
  for (const [kind, names] of Object.entries(PANELS)) {
    add(only(path.join(raw, 'composable', kind.replace('-', ''), 'panelcfg', 'x')), names, `${kind}.`);
  }
  return [own.version, made];
}

const modules = path.join(process.cwd(), 'node_modules');
for (const name of fs.readdirSync(modules).filter((entry) => entry.startsWith('grafana-'))) {
  const [version, made] = schemas(path.join(modules, name));
  fs.writeFileSync(path.join(process.argv[2], `${version}.json`), JSON.stringify(made));
}
