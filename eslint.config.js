import tseslint from 'typescript-eslint';

// Who may import whom is not here: tools/architecture.spec.ts holds that table, with its reasons.
export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', 'docs/generated/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.spec.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A Nest module is a class that holds a decorator and nothing else.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // An index that a loop or a regular expression guarantees needs no run-time check.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Contracts are asynchronous, whether or not one implementation has something to wait for.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      'no-console': 'error',
      // Nest declares its options as classes; everybody passes literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // `json<T>()` is a cast that says so.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // `Promise.withResolvers<void>()` is how one waits for an event.
      '@typescript-eslint/no-invalid-void-type': 'off',
      eqeqeq: 'error',
    },
  },
  { files: ['tools/**/*.ts', 'e2e/**/*.ts'], rules: { 'no-console': 'off' } },
);
